/**
 * After a crash: a model call with a START and no END may really have been sent. It is ended as in_doubt and its
 * reservation is booked. So is a call at a tool server. A hooked tool call goes on without the kernel; its client still reports how it
 * ended.
 */
import { agentPut } from '../agents/table.ts';
import { assert } from '../base/assert.ts';
import { refusal } from '../base/errors.ts';
import { isRecord, type JsonRecord, parseJson } from '../base/json.ts';
import type { SyscallKind } from '../base/syscall.ts';
import { allOf } from '../budget/ledger.ts';
import { CALL } from '../db/schema/journal.ts';
import { applyEntry, callPut, endEntry, NO_ANSWER } from '../journal/calls.ts';
import { LIMITS } from './limits.ts';
import { settleFiles, takeUpHolds } from './locking.ts';
import type { Parts } from './parts.ts';
import { payersOf } from './proof.ts';
import { SYSCALLS } from './syscalls.ts';

/** The body of a call's last START: who paid, whatever the tree of accounts is now. */
async function startOf(parts: Parts, call: string): Promise<JsonRecord> {
  const entries = await parts.store.entries({ call, limit: LIMITS.page.value });
  const body = parseJson(entries.findLast((entry) => entry.kind === 'call.start')?.body ?? '');
  assert(isRecord(body), `running call ${call} has no START`);
  return body;
}

const DOUBT = refusal('in_doubt', 'The kernel ended while it ran.');

/** Returns how many calls are in doubt. */
export async function recover(parts: Parts): Promise<number> {
  await takeUpHolds(parts);
  const open = await parts.store.range(CALL, { by: ['state'], prefix: ['running'], limit: 100_000 });
  const now = parts.clock.now();
  let doubts = 0;
  for (const row of open) {
    if (row.kind === 'tool.call' && row.backend === null) continue;
    const agent = parts.agents.get(row.agent);
    const start = await startOf(parts, row.id);
    const held = {
      usd: row.reservedUsd,
      tokens: row.reservedTokens,
      output: Number(start.reservedOutput ?? 0),
    };
    const usage = allOf(held);
    const scopes = payersOf(parts, row.agent, start);
    const model = String(start.model);
    // What ends later was booked and counted with its START.
    const { endsLater } = SYSCALLS[row.kind as SyscallKind];
    const settled = endsLater
      ? { puts: [] }
      : parts.ledger.recover([{ call: row.id, scopes, ...held, model }], now);
    // What changes nothing leaves no doubt.
    const code = start.retry === 'pure' ? 'cancelled' : 'in_doubt';
    if (code === 'in_doubt') doubts++;
    const entry = endEntry(now, {
      call: row.id,
      agent: row.agent,
      code,
      ...NO_ANSWER,
      usage,
      cost: row.reservedUsd,
      waitedMs: 0,
      ...parts.ledger.bookedOn(now),
    });
    const ended = applyEntry(row, entry);
    const use = code === 'in_doubt' ? parts.uses.ended(row.id, DOUBT, false) : { puts: [], deletes: [] };
    parts.observer.ended({
      kind: row.kind,
      outcome: code,
      backend: row.backend,
      status: 0,
      waitedMs: null,
      firstByteMs: null,
      tookMs: now - row.arrivedAt,
      usage,
      cost: row.reservedUsd,
    });
    if (agent) {
      if (!endsLater) agent.calls++;
      agent.lastAt = Math.max(agent.lastAt ?? 0, row.startedAt ?? 0);
      agent.account = row.account ?? agent.account;
      agent.input += usage.input;
      agent.output += usage.output;
      agent.cost += row.reservedUsd;
    }
    await parts.journal.append({
      entries: [entry],
      puts: [
        ...(ended ? [callPut(ended)] : []),
        ...(agent ? [agentPut(agent)] : []),
        ...settled.puts,
        ...use.puts,
      ],
    });
    if (agent) await settleFiles(parts, agent, row);
  }
  return doubts;
}
