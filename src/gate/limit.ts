/**
 * Stage limit: a call whose account is over a provider's rate limit waits here, without a slot, until the provider takes
 * calls again; and an answer that says so is absorbed: the call goes back to decide and is sent once more. What cannot
 * be absorbed within the call's deadline passes as the provider answered it.
 */
import { refusal } from '../base/errors.ts';
import type { ModelOutcome } from '../base/model.ts';
import type { Verdict } from '../scheduler/governor.ts';
import { readPushback } from '../scheduler/pushback.ts';
import type { Candidate } from './catalog.ts';
import { type Flight, go, type Stage } from './flight.ts';
import { LIMITS } from './limits.ts';
import type { Parts } from './parts.ts';

/** A provider limits an account, model by model. */
const nameOf = ({ account, upstreamModel }: Candidate): string => `${account} ${upstreamModel}`;
const BETWEEN = ' | ';

/** Where a call may go to that no limit keeps it from now; one of several that are open is enough. */
export function limit(parts: Parts, flight: Flight): Stage<void> {
  const { candidates, deadlineAt } = flight;
  if (candidates.length === 0 || parts.settings.onLimit === 'fail') return go(undefined);
  const now = parts.clock.now();
  const open = candidates.filter((candidate) => {
    const name = nameOf(candidate);
    // What opens too late for this call is the provider's to refuse.
    return (
      parts.governor.room(name, now) > 0 || parts.governor.opensAt(name, now) > absorbedUntil(parts, flight)
    );
  });
  if (open.length > 0) {
    flight.candidates = open;
    return go(undefined);
  }
  const names = candidates.map(nameOf);
  return {
    kind: 'wait',
    reason: 'limit',
    resource: names.join(BETWEEN),
    onDeadline: () =>
      refusal('busy', `The rate limit of ${names[0]} left no room before the call's deadline.`, {
        retryAfterMs: Math.max(1000, parts.governor.opensAt(names[0] as string, deadlineAt) - deadlineAt),
      }),
  };
}

/** Until when waiting for a limit may take: the client's own deadline, and not longer than the setting. */
const absorbedUntil = ({ settings }: Parts, { call, deadlineAt }: Flight): number =>
  Math.min(deadlineAt - LIMITS.answerMs.value, call.arrivedAt + settings.maxHoldMs);

/** The call is about to be sent. */
export function enterLimit(parts: Parts, flight: Flight): void {
  if (!flight.granted || !('facts' in flight.call.payload)) return;
  flight.underLimit = nameOf(flight.granted);
  parts.governor.enter(flight.underLimit);
}

/** The attempt has ended; `outcome` is undefined where nothing was sent. True: it is absorbed, send it again. */
export function leaveLimit(parts: Parts, flight: Flight, outcome: ModelOutcome | undefined): boolean {
  const name = flight.underLimit;
  if (name === undefined) return false;
  flight.underLimit = undefined;
  const now = parts.clock.now();
  const verdict = verdictOf(outcome, now);
  parts.governor.leave(name, verdict, now);
  const opensAt = parts.governor.opensAt(name, now);
  if (opensAt > 0) parts.clock.after(opensAt - now, () => wakeLimited(parts, name));
  else wakeLimited(parts, name);
  return (
    typeof verdict === 'object' &&
    !verdict.isFinal &&
    parts.settings.onLimit === 'wait' &&
    opensAt <= absorbedUntil(parts, flight)
  );
}

function verdictOf(outcome: ModelOutcome | undefined, now: number): Verdict {
  if (outcome?.kind !== 'answered') return 'unknown';
  if (!outcome.upstreamError) return 'served';
  if (outcome.headSent) return 'unknown';
  return readPushback(outcome.status, outcome.headers, outcome.tail, now) ?? 'unknown';
}

/** As many as there is room for, the highest priority first and then the oldest. */
function wakeLimited(parts: Parts, name: string): void {
  const { governor, waits, agents, clock } = parts;
  const room = governor.room(name, clock.now());
  const waiting = [...waits.all()].filter(
    ({ reason, resource }) => reason === 'limit' && resource.split(BETWEEN).includes(name),
  );
  if (room <= 0 || waiting.length === 0) return;
  const nice = (pid: number) => agents.get(pid)?.nice ?? 0;
  waiting.sort((a, b) => nice(a.agent) - nice(b.agent) || a.arrivedAt - b.arrivedAt);
  for (const { call } of waiting.slice(0, room)) waits.wake(call);
  // One that is refused on its way leaves its room unused, and tells nobody.
  if (waiting.length > room) clock.after(LIMITS.limitLookMs.value, () => wakeLimited(parts, name));
}

/** Why a call waits for a limit, for people. */
export const limitReasons = (parts: Parts, resource: string): string[] =>
  resource.split(BETWEEN).map((name) => `${name}: ${parts.governor.reason(name, parts.clock.now())}`);
