/**
 * The mirror of one bucket of a provider's rate limit: it fills at a steady rate up to its size (token bucket), what is
 * sent is taken out at once, and what the provider says corrects it. Invariant: it holds no more than the provider's
 * last word allows, filled up since, less what was sent since. Amounts are requests or tokens.
 *
 * A reading is of a moment that nobody knows: calls on their way may be in it or not. So it sets a range, and the mirror
 * moves to the nearest end of that range only when it is outside: a mirror that stays a constant too low costs nothing,
 * since the rate is what limits.
 */
import { LIMITS } from './limits.ts';
import type { Reading } from './readings.ts';

const MINUTE_MS = 60_000;
/** How much one reading of the rate counts against those before. */
const WEIGHT = 0.3;
/** Less is none: sums of fractions. */
const TINY = 1e-6;

export class Bucket {
  #limit: number;
  #perMs: number;
  #level: number;
  /** The most that can be left. */
  #ceiling: number;
  #at: number;
  /** A call took more than it holds: what is missing is not told. */
  #isOverdrawn = false;
  /** All that was ever taken. */
  #taken = 0;
  #readings = 0;

  /** An empty one is full after `fillMs`, until readings say otherwise. */
  constructor(
    { limit, remaining, slack }: Pick<Reading, 'limit' | 'remaining' | 'slack'>,
    now: number,
    fillMs = MINUTE_MS,
  ) {
    this.#limit = limit;
    this.#perMs = limit / fillMs;
    this.#level = Math.max(0, remaining - slack);
    this.#ceiling = Math.min(limit, remaining + slack);
    this.#at = now;
  }

  get limit(): number {
    return this.#limit;
  }

  get taken(): number {
    return this.#taken;
  }

  /** How often the provider has said what is left. */
  get readings(): number {
    return this.#readings;
  }

  /** How much a minute brings. */
  get perMinute(): number {
    return this.#perMs * MINUTE_MS;
  }

  /** `share` of what flows in is believed to be there for us: others may take the rest. */
  level(now: number, share: number): number {
    this.#fill(now, share);
    return this.#level;
  }

  take(amount: number, now: number, share: number): void {
    this.#fill(now, share);
    this.#level -= amount;
    this.#ceiling -= amount;
    this.#taken += amount;
    if (amount > this.#limit) this.#isOverdrawn = true;
  }

  /**
   * Less was used than was taken (a negative amount: more). `isUntold`: nothing was read since it was taken; otherwise
   * the provider's figures know what was really used.
   */
  give(amount: number, isUntold: boolean, now: number, share: number): void {
    this.#fill(now, share);
    if (isUntold) this.#ceiling = Math.min(this.#limit, this.#ceiling + amount);
    this.#level = Math.min(this.#ceiling, this.#level + amount);
  }

  /** How much flows in. */
  inflow(sinceMs: number): number {
    return this.#perMs * sinceMs;
  }

  /** What would have been left by now of a full or half-full bucket that was read before. */
  filled(from: number, sinceMs: number): number {
    return Math.min(this.#limit, from + this.#perMs * sinceMs);
  }

  /** Takes in what the provider says; `unsure` is what it may not have counted yet. */
  read(reading: Reading, unsure: number, now: number, share: number): void {
    this.#fill(now, share);
    this.#readings++;
    if (reading.limit !== this.#limit) {
      this.#perMs *= reading.limit / this.#limit;
      this.#limit = reading.limit;
    }
    // What is below nothing is told as nothing left, and as full again that much later.
    this.#isOverdrawn &&= this.#level < 0 && reading.remaining <= reading.slack;
    if (!this.#isOverdrawn) this.#learnRate(reading, now);
    const top = Math.min(this.#limit, reading.remaining + reading.slack);
    const bottom = this.#isOverdrawn ? this.#level : reading.remaining - reading.slack - unsure;
    this.#ceiling = top;
    this.#level = Math.min(top, Math.max(bottom, this.#level));
  }

  /**
   * How long until `amount` is there. A call that needs more than the bucket holds is let go with a full one: the provider
   * says what it thinks of it.
   */
  waitMs(amount: number, now: number, share: number): number {
    const missing = Math.min(amount, this.#limit) - this.level(now, share);
    return missing <= TINY ? 0 : Math.ceil(missing / (this.#perMs * share));
  }

  #fill(now: number, share: number): void {
    const gained = Math.max(0, now - this.#at) * this.#perMs;
    this.#at = Math.max(this.#at, now);
    this.#ceiling = Math.min(this.#limit, this.#ceiling + gained);
    this.#level = Math.min(this.#ceiling, this.#level + gained * share);
  }

  #learnRate({ limit, remaining, fullAt, fullWithinMs }: Reading, now: number): void {
    const spanMs = fullAt === null ? 0 : fullAt - now;
    // A nearly full bucket says too little.
    if (limit - remaining < 0.02 * limit || spanMs <= 0) return;
    const { fastestFillMs, slowestFillMs } = LIMITS;
    if (spanMs < 10 * fullWithinMs) {
      // A date in whole seconds says how fast at least.
      const least = (limit - remaining) / (spanMs + fullWithinMs);
      this.#perMs = Math.max(this.#perMs, Math.min(least, limit / fastestFillMs.value));
      return;
    }
    const seen = (limit - remaining) / spanMs;
    const sane = Math.min(limit / fastestFillMs.value, Math.max(limit / slowestFillMs.value, seen));
    this.#perMs += WEIGHT * (sane - this.#perMs);
  }
}
