/**
 * Stage schedule: a pause holds the call back; then the scheduler grants a slot of one of the candidates, or the locks
 * of a tool call. Waits are volatile: a restart forgets them and the client's retry waits again.
 */
import { type Refusal, refusal } from '../base/errors.ts';
import type { TurnId } from '../base/ids.ts';
import type { SyscallKind } from '../base/syscall.ts';
import type { PolicyCall } from '../scheduler/policy.ts';
import type { Preemptible } from '../scheduler/queue.ts';
import { type Flight, go, refuse, type Stage } from './flight.ts';
import { limitWait, slotsOf } from './limit.ts';
import { LIMITS } from './limits.ts';
import { dropLocks, takeLocks } from './locking.ts';
import type { Parts } from './parts.ts';
import { checkPause } from './pause.ts';
import { SYSCALLS } from './syscalls.ts';

export function schedule<K extends SyscallKind>(parts: Parts, flight: Flight<K>): Stage<void> {
  const paused = checkPause(flight as Flight);
  if (paused.kind !== 'go') return paused;
  if (flight.isLocking) return takeLocks(parts, flight as Flight, scheduledCall(parts, flight as Flight));
  keepGranted(parts, flight as Flight);
  if (!SYSCALLS[flight.call.kind].needsBackend || flight.granted) return go(undefined);
  const id = flight.call.id;
  let refused: Refusal | undefined;
  parts.scheduler.submit({
    ...scheduledCall(parts, flight as Flight),
    resources: flight.candidates.map((candidate) => candidate.backend.id),
    tolls: flight.tolls,
    ...preemptible(parts, flight as Flight),
    onGrant: (resource, why) => {
      flight.order = why;
      flight.toll = flight.tolls.get(resource);
      flight.granted = flight.candidates.find((candidate) => candidate.backend.id === resource);
      parts.waits.wake(id);
    },
    onRefuse: (reason) => {
      refused = reason;
      parts.waits.wake(id, { kind: 'refuse', refusal: reason });
    },
  });
  if (refused) return refuse(refused);
  if (flight.granted) return go(undefined);
  const limited = limitWait(parts, flight as Flight);
  if (limited) return limited;
  return {
    kind: 'wait',
    reason: 'slot',
    resource: slotsOf(flight as Flight),
    onDeadline: () =>
      refusal('busy', `No slot of ${flight.candidates[0]?.backend.id} became free in time.`, {
        retryAfterMs: 10_000,
      }),
  };
}

/**
 * The turn that a call is part of for the scheduler. Sub-agents, told apart by headers under one key, are threads of the
 * turn their main agent is in: what users wait for is that turn.
 */
export function turnOf({ turns }: Parts, { call, agent, chain }: Flight): TurnId | undefined {
  const main = chain.findLast((other) => other.keyId === agent.keyId);
  return main && main !== agent ? (turns.current(main.pid) ?? call.turn) : call.turn;
}

/** How it is stopped while it runs, where it may come to run at a backend that keeps such calls. */
function preemptible(parts: Parts, flight: Flight): { preemptible?: Preemptible } {
  if (!flight.candidates.some(({ backend }) => backend.keeps || backend.continues || backend.prefills))
    return {};
  const { preemption } = parts.scheduler;
  const suspend = (why: string): void =>
    flight.suspension ? flight.suspension.preempt(why) : preemption.resisted(flight.call.id);
  return { preemptible: { suspend, proceed: () => flight.suspension?.proceed() } };
}

/** The call as scheduling policies see it. */
function scheduledCall(parts: Parts, flight: Flight): PolicyCall {
  const { call, agent, deadlineAt, candidates } = flight;
  const { payload } = call;
  const model = candidates[0]?.upstreamModel ?? '';
  const tokens =
    'facts' in payload
      ? parts.estimator.estimate(model, agent.client, payload.decoded.length, payload.facts.maxOutput)
      : { tokensIn: 0, tokensOut: 0 };
  return {
    call: call.id,
    agent: agent.pid,
    owner: agent.owner,
    turn: turnOf(parts, flight),
    thread: call.turn,
    nice: agent.nice,
    arrivedAt: flight.since,
    deadlineAt,
    inTokens: tokens.tokensIn,
    outTokens: tokens.tokensOut,
    freshTokens: freshOf(flight),
    expiringTokens: expiringOf(flight, parts.clock.now()),
    image: agent.client,
  };
}

/** What a hosted API will have to compute of it, as far as that can be told. */
function freshOf({ tolls, candidates: [first] }: Flight): number | undefined {
  const need = first && first.credential !== 'local' ? tolls.get(first.backend.id)?.need : undefined;
  return need && need.input - need.cached;
}

/** What of it is in a hosted API's cache and about to be forgotten. */
function expiringOf({ tolls, cacheUntil, candidates: [first] }: Flight, now: number): number | undefined {
  if (cacheUntil === undefined || cacheUntil - now > LIMITS.hurryMs.value) return undefined;
  return first && tolls.get(first.backend.id)?.need.cached;
}

/** A slot that was granted while the call waited counts only if its backend can still take the call, as it is now. */
function keepGranted(parts: Parts, flight: Flight): void {
  const { granted } = flight;
  if (!granted) return;
  const now = flight.candidates.find(({ backend }) => backend.id === granted.backend.id);
  if (now) flight.granted = now;
  else releaseSlot(parts, flight);
}

/** Gives back the slot or the locks a call holds, if it holds any. */
export function releaseSlot(parts: Parts, flight: Flight): void {
  dropLocks(parts, flight);
  if (!flight.granted) return;
  parts.scheduler.release(flight.call.id, flight.granted.backend.id);
  flight.granted = undefined;
  flight.toll = undefined;
}
