/**
 * Stage limit: a call whose account is over a provider's rate limit waits here, without a slot, until the provider takes
 * calls again; and an answer that says so is absorbed: the call goes back to decide and is sent once more. What cannot
 * be absorbed within the call's deadline passes as the provider answered it.
 */
import { refusal } from '../base/errors.ts';
import type { ModelOutcome } from '../base/model.ts';
import { Governor, type Verdict } from '../scheduler/governor.ts';
import { readPushback } from '../scheduler/pushback.ts';
import type { Candidate } from './catalog.ts';
import { type Flight, go, type Stage } from './flight.ts';
import { LIMITS } from './limits.ts';
import type { Parts } from './parts.ts';

/** A provider limits an account, model by model. */
const nameOf = ({ account, upstreamModel }: Candidate): string => `${account} ${upstreamModel}`;
const BETWEEN = ' | ';

export class RateLimits {
  readonly #parts: Parts;
  readonly #governor = new Governor();
  /** Limits that are looked at again by themselves. */
  readonly #looks = new Set<string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Where a call may go to that no limit keeps it from now; one of several that are open is enough. */
  stage(flight: Flight): Stage<void> {
    const { candidates, deadlineAt } = flight;
    if (candidates.length === 0 || this.#parts.settings.onLimit === 'fail') return go(undefined);
    const now = this.#now();
    const untilAt = this.#absorbedUntil(flight);
    const open = candidates.filter((candidate) => {
      const name = nameOf(candidate);
      // What opens too late for this call is the provider's to refuse.
      return this.#governor.room(name, now) > 0 || this.#governor.opensAt(name, now) > untilAt;
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
          retryAfterMs: Math.max(1000, this.#governor.opensAt(names[0] as string, deadlineAt) - deadlineAt),
        }),
    };
  }

  /** The call is about to be sent. */
  enter(flight: Flight): void {
    if (!flight.granted || !('facts' in flight.call.payload)) return;
    flight.underLimit = nameOf(flight.granted);
    this.#governor.enter(flight.underLimit);
  }

  /** The attempt has ended; `outcome` is undefined where nothing was sent. True: it is absorbed, send it again. */
  leave(flight: Flight, outcome: ModelOutcome | undefined): boolean {
    const name = flight.underLimit;
    if (name === undefined) return false;
    flight.underLimit = undefined;
    const now = this.#now();
    const verdict = verdictOf(outcome, now);
    const wasBound = this.#governor.isBound(name);
    this.#governor.leave(name, verdict, now);
    // Nobody waits for a limit that was never met, and all that wait for anything are looked through to find out.
    if (wasBound || this.#governor.isBound(name)) this.#wake(name);
    return (
      typeof verdict === 'object' &&
      !verdict.isFinal &&
      this.#parts.settings.onLimit === 'wait' &&
      this.#governor.opensAt(name, now) <= this.#absorbedUntil(flight)
    );
  }

  /** Why a call waits for a limit, for people. */
  reasons(resource: string): string[] {
    return resource.split(BETWEEN).map((name) => `${name}: ${this.#governor.reason(name, this.#now())}`);
  }

  /** Until when waiting for a limit may take: the client's own deadline, and not longer than the setting. */
  #absorbedUntil({ call, deadlineAt }: Flight): number {
    const { maxHoldMs } = this.#parts.settings;
    return Math.min(deadlineAt - LIMITS.answerMs.value, call.arrivedAt + maxHoldMs);
  }

  /** As many as there is room for, the highest priority first and then the oldest. */
  #wake(name: string): void {
    const { waits, agents } = this.#parts;
    const now = this.#now();
    const waiting = [...waits.all()].filter(
      ({ reason, resource }) => reason === 'limit' && resource.split(BETWEEN).includes(name),
    );
    const nice = (pid: number) => agents.get(pid)?.nice ?? 0;
    waiting.sort((a, b) => nice(a.agent) - nice(b.agent) || a.arrivedAt - b.arrivedAt);
    for (const { call } of waiting.slice(0, this.#governor.room(name, now))) waits.wake(call);
    // A call that was absorbed waits a moment later; and one that is refused on its way leaves its room unused.
    const opensAt = this.#governor.opensAt(name, now);
    if (opensAt > 0 || waiting.length > 0)
      this.#look(name, opensAt > 0 ? opensAt - now : LIMITS.limitLookMs.value);
  }

  #look(name: string, afterMs: number): void {
    if (this.#looks.has(name)) return;
    this.#looks.add(name);
    this.#parts.clock.after(afterMs, () => {
      this.#looks.delete(name);
      this.#wake(name);
    });
  }

  #now(): number {
    return this.#parts.clock.now();
  }
}

function verdictOf(outcome: ModelOutcome | undefined, now: number): Verdict {
  if (outcome?.kind !== 'answered') return 'unknown';
  if (!outcome.upstreamError) return 'served';
  if (outcome.headSent) return 'unknown';
  return readPushback(outcome.status, outcome.headers, outcome.tail, now) ?? 'unknown';
}
