/** What hooks tell after a tool ran: END of a tool.call whose START let it go. */
import { agentPut } from '../agents/table.ts';
import { NO_USAGE } from '../base/usage.ts';
import { CALL } from '../db/schema/journal.ts';
import { applyEntry, callPut, endEntry } from '../journal/calls.ts';
import type { Parts } from './parts.ts';

/** Joins the outcome by the client's tool-use id; an outcome nobody asked about before is ignored. */
export async function toolEnded(
  parts: Parts,
  agents: readonly number[],
  toolUseId: string,
  isError: boolean,
): Promise<void> {
  for (const pid of agents) {
    const agent = parts.agents.get(pid);
    const id = parts.coverage.decidedBy(pid, toolUseId);
    const row = id === undefined ? undefined : await parts.store.get(CALL, [id]);
    if (!agent || row?.state !== 'running') continue;
    const entry = endEntry(parts.clock.now(), {
      call: row.id,
      agent: pid,
      code: isError ? 'failed' : 'ok',
      status: 0,
      usage: NO_USAGE,
      cost: 0,
      stop: '',
      answer: null,
      bytesOut: 0,
      intents: 0,
      firstByteMs: null,
      waitedMs: 0,
    });
    const ended = applyEntry(row, entry);
    parts.observer.ended({
      kind: row.kind,
      outcome: isError ? 'failed' : 'ok',
      backend: null,
      status: 0,
      waitedMs: (row.startedAt ?? row.arrivedAt) - row.arrivedAt,
      firstByteMs: null,
      tookMs: entry.at - row.arrivedAt,
      usage: NO_USAGE,
      cost: 0,
    });
    await parts.journal.append({
      entries: [entry],
      puts: [
        ...(ended ? [callPut(ended)] : []),
        agentPut(agent),
        ...parts.coverage.closed(agent, [{ id: toolUseId, isError }]),
      ],
    });
    return;
  }
}
