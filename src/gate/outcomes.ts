/**
 * What becomes of a tool call that a START let go: a hook tells after it ran, or its result is in the next request, or
 * the client ends without a word.
 */
import { type Agent, agentPut } from '../agents/table.ts';
import { NO_USAGE } from '../base/usage.ts';
import { CALL, type CallRow } from '../db/schema/journal.ts';
import { applyEntry, callPut, endEntry, NO_ANSWER } from '../journal/calls.ts';
import { takeFresh } from './changes.ts';
import { toolOver } from './locking.ts';
import type { Parts } from './parts.ts';

/** Joins the outcome by the client's tool-use id; an outcome nobody asked about before is ignored. */
export async function toolEnded(
  parts: Parts,
  agents: readonly number[],
  toolUseId: string,
  isError: boolean,
): Promise<void> {
  for (const pid of agents) {
    const id = parts.coverage.decidedBy(pid, toolUseId);
    if (id === undefined) continue;
    const close = (agent: Agent) => parts.coverage.closed(agent, [{ id: toolUseId, isError }]);
    if (await endTool(parts, id, isError ? 'failed' : 'ok', close)) return;
  }
}

/** Ends permitted calls that their client never heard of: they did not run. */
export async function withdraw(parts: Parts, agent: Agent, toolUseIds: readonly string[]): Promise<void> {
  for (const toolUseId of toolUseIds) {
    const id = parts.coverage.decidedBy(agent.pid, toolUseId);
    if (id === undefined) continue;
    const close = () => parts.coverage.withheld(agent, toolUseId);
    // A store that fails here has already stopped the kernel.
    await endTool(parts, id, 'cancelled', close).catch(() => undefined);
  }
}

/**
 * Ends what agents that are gone left open as in doubt. Not every client tells how a call ended: Codex says nothing of
 * one that failed.
 */
export async function toolsLeft(parts: Parts, agents: ReadonlySet<number>): Promise<void> {
  const running = await parts.store.range(CALL, { by: ['state'], prefix: ['running'], limit: 100_000 });
  for (const row of running)
    if (row.kind === 'tool.call' && agents.has(row.agent)) await endTool(parts, row.id, 'in_doubt', () => []);
}

type Close = (agent: Agent) => ReturnType<Parts['coverage']['closed']>;
type EndCode = 'ok' | 'failed' | 'cancelled' | 'in_doubt';
const HOW = { ok: 'done', failed: 'failed', cancelled: 'failed', in_doubt: 'unknown' } as const;

/** false if the call has ended or is being ended: two hooks may tell the same outcome at once. */
async function endTool(parts: Parts, call: string, code: EndCode, close: Close): Promise<boolean> {
  if (parts.ending.has(call)) return false;
  // Claimed before the row is read, until END is durable: so the row says whether somebody else has ended it.
  parts.ending.add(call);
  try {
    const row = await parts.store.get(CALL, [call]);
    if (row?.state !== 'running') return false;
    await toolOver(parts, call, HOW[code]);
    await writeEnd(parts, row, code, close);
    return true;
  } finally {
    parts.ending.delete(call);
  }
}

async function writeEnd(parts: Parts, row: CallRow, code: EndCode, close: Close): Promise<void> {
  const agent = parts.agents.get(row.agent);
  if (!agent) return;
  const entry = endEntry(parts.clock.now(), {
    call: row.id,
    agent: row.agent,
    code,
    ...NO_ANSWER,
    waitedMs: 0,
  });
  const ended = applyEntry(row, entry);
  parts.observer.ended({
    kind: row.kind,
    outcome: code,
    backend: null,
    status: 0,
    waitedMs: (row.startedAt ?? row.arrivedAt) - row.arrivedAt,
    firstByteMs: null,
    tookMs: entry.at - row.arrivedAt,
    usage: NO_USAGE,
    cost: 0,
  });
  const seen = takeFresh(parts);
  await parts.journal.append({
    entries: [entry],
    puts: [...(ended ? [callPut(ended)] : []), agentPut(agent), ...close(agent), ...seen.puts],
    deletes: seen.deletes,
  });
}
