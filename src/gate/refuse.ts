/** Every way out of the gate that is not END: one `call.refuse` entry, and the agent's row if the refusal paused it. */
import { agentPut } from '../agents/table.ts';
import type { Refusal } from '../base/errors.ts';
import type { CallReport } from '../base/observer.ts';
import { NO_USAGE } from '../base/usage.ts';
import { applyEntry, callPut, refuseEntry } from '../journal/calls.ts';
import { storeBody } from './body.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';
import { countDecided } from './start.ts';

/** What the access policies refused is kept as if it had started: another text of them can be tried on it. */
const REPLAYED: ReadonlySet<string> = new Set(['denied', 'awaiting_approval', 'hosted_tool']);

/** Queued and awaited; a store that fails here has already stopped the kernel, and the refusal stands. */
export async function recordRefusal(parts: Parts, flight: Flight, why: Refusal): Promise<void> {
  const { call, agent } = flight;
  const now = parts.clock.now();
  const toolUseId = 'toolUseId' in call.payload ? call.payload.toolUseId : null;
  const entry = refuseEntry(now, {
    call: call.id,
    agent: agent.pid,
    owner: agent.owner,
    kind: call.kind,
    target: flight.resource.id,
    turn: call.turn ?? null,
    arrivedAt: call.arrivedAt,
    toolUseId,
    args: parts.salts.commit(agent.owner, flight.digest),
    continues: call.continues ?? null,
    refusal: why,
  });
  flight.row = applyEntry(flight.row, entry);
  parts.observer.ended(refusedCall(flight, why, now));
  const body = REPLAYED.has(why.code) ? storeBody(parts, flight, now) : { puts: [], blobs: [] };
  const coverage = flight.attempt === 0 ? countDecided(parts, flight, true, now) : [];
  await parts.journal
    .append({
      entries: [entry],
      puts: [
        ...(flight.row ? [callPut(flight.row)] : []),
        agentPut(agent),
        ...body.puts,
        ...coverage,
        ...parts.salts.takeFresh(now),
      ],
      blobs: body.blobs,
    })
    .catch(() => undefined);
}

/** A call that never started, as observers are told of it. */
export const refusedCall = (flight: Flight, why: Refusal, now: number): CallReport => ({
  kind: flight.call.kind,
  outcome: why.code,
  backend: null,
  status: 0,
  waitedMs: null,
  firstByteMs: null,
  tookMs: now - flight.call.arrivedAt,
  usage: NO_USAGE,
  cost: 0,
});
