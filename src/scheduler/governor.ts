/**
 * The rate limits of providers, as their refusals teach them: after one nothing is sent there until the provider's own
 * reset, and then no more calls at once than half of those that were too many, plus one for each round that went well
 * (additive increase, multiplicative decrease: Chiu and Jain, 1989), so that the rate follows the limit, its changes and
 * what other clients of the same account take. A limit is of one account and one model. In memory only: a restart learns
 * it again with one refusal.
 */
import { LIMITS } from './limits.ts';
import type { Pushback } from './pushback.ts';

interface Limit {
  /** Nothing is sent before. */
  untilMs: number;
  /** Calls at once; without bound until the first refusal. */
  window: number;
  inFlight: number;
  /** Refusals in a row. */
  refusals: number;
  refusedAt: number;
}

/** How a call under a limit ended: served, refused by the limit, or in a way that says nothing about it. */
export type Verdict = 'served' | 'unknown' | Pushback;

export class Governor {
  readonly #limits = new Map<string, Limit>();

  /** How many more calls may be sent now. */
  room(name: string, now: number): number {
    const limit = this.#limits.get(name);
    if (!limit) return Number.POSITIVE_INFINITY;
    return limit.untilMs > now ? 0 : Math.max(0, Math.floor(limit.window) - limit.inFlight);
  }

  /** When the provider takes calls again; 0 if it does now. */
  opensAt(name: string, now: number): number {
    const untilMs = this.#limits.get(name)?.untilMs ?? 0;
    return untilMs > now ? untilMs : 0;
  }

  /** Does it hold anything back, now or as soon as more calls are sent? One that never refused does not. */
  isBound(name: string): boolean {
    return (this.#limits.get(name)?.window ?? Number.POSITIVE_INFINITY) < Number.POSITIVE_INFINITY;
  }

  /** Why calls wait for it, for people. */
  reason(name: string, now: number): string {
    const { untilMs = 0, window = 0, inFlight = 0 } = this.#limits.get(name) ?? {};
    return untilMs > now
      ? `its provider refused a call and takes the next in ${Math.ceil((untilMs - now) / 1000)} s`
      : `its provider refused calls lately: ${inFlight} of at most ${Math.floor(window)} at once are on their way`;
  }

  /** A call is sent. */
  enter(name: string): void {
    const limit = this.#limits.get(name) ?? {
      untilMs: 0,
      window: Number.POSITIVE_INFINITY,
      inFlight: 0,
      refusals: 0,
      refusedAt: 0,
    };
    limit.inFlight++;
    this.#limits.set(name, limit);
  }

  /** A call that was sent has ended. */
  leave(name: string, verdict: Verdict, now: number): void {
    const limit = this.#limits.get(name);
    if (!limit) return;
    limit.inFlight--;
    if (typeof verdict === 'object') refuse(limit, verdict, now);
    else if (verdict === 'served') {
      limit.refusals = 0;
      if (now - limit.refusedAt > LIMITS.limitForgottenMs.value) limit.window = Number.POSITIVE_INFINITY;
      else limit.window += 1 / limit.window;
    }
    if (limit.inFlight === 0 && limit.window === Number.POSITIVE_INFINITY) this.#limits.delete(name);
  }
}

function refuse(limit: Limit, { untilMs }: Pushback, now: number): void {
  // Those that were on their way when the limit was met tell nothing new, but for a later reset.
  const isNews = limit.untilMs <= now;
  if (isNews) {
    limit.window = Math.max(1, Math.floor(Math.min(limit.window, limit.inFlight + 1) / 2));
    limit.refusals++;
  }
  limit.refusedAt = now;
  const unsaid = Math.min(
    LIMITS.limitMostPauseMs.value,
    LIMITS.limitPauseMs.value * 2 ** (limit.refusals - 1),
  );
  if (isNews || untilMs !== null)
    limit.untilMs = Math.max(limit.untilMs, untilMs ?? now + unsaid, now + LIMITS.limitLeastPauseMs.value);
}
