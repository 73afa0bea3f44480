/** What becomes of a tool call that a START let go: its client tells, or the client ends without a word. */
import { agentPut } from '../agents/table.ts';
import { NO_USAGE } from '../base/usage.ts';
import { CALL, type CallRow } from '../db/schema/journal.ts';
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
    const id = parts.coverage.decidedBy(pid, toolUseId);
    const row = id === undefined ? undefined : await parts.store.get(CALL, [id]);
    if (row?.state !== 'running') continue;
    await endTool(parts, row, isError ? 'failed' : 'ok', [{ id: toolUseId, isError }]);
    return;
  }
}

/**
 * Ends what agents that are gone left open as in doubt. Not every client tells how a call ended: Codex says nothing of
 * one that failed.
 */
export async function toolsLeft(parts: Parts, agents: ReadonlySet<number>): Promise<void> {
  const running = await parts.store.range(CALL, { by: ['state'], prefix: ['running'], limit: 100_000 });
  for (const row of running)
    if (row.kind === 'tool.call' && agents.has(row.agent)) await endTool(parts, row, 'in_doubt', []);
}

async function endTool(
  parts: Parts,
  row: CallRow,
  code: 'ok' | 'failed' | 'in_doubt',
  results: readonly { readonly id: string; readonly isError: boolean }[],
): Promise<void> {
  const agent = parts.agents.get(row.agent);
  if (!agent) return;
  const entry = endEntry(parts.clock.now(), {
    call: row.id,
    agent: row.agent,
    code,
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
    outcome: code,
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
    puts: [...(ended ? [callPut(ended)] : []), agentPut(agent), ...parts.coverage.closed(agent, results)],
  });
}
