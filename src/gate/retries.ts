/**
 * Clients that ask again: a call that was refused before anything was sent, or whose client left while it waited, keeps
 * its place when the same agent sends the same body within a while. In memory only, like every place in a queue.
 */
import { Recent } from '../base/recent.ts';
import type { Flight } from './flight.ts';
import { LIMITS } from './limits.ts';

interface Left {
  /** Since when it stands in the order. */
  readonly since: number;
  readonly leftAt: number;
}

export class Retries {
  readonly #left = new Recent<string, Left>(LIMITS.retries.value);

  /** The place that this call had before; its own arrival where it is no retry. */
  claim(flight: Flight): number {
    const key = flight.guarded.call;
    const { arrivedAt } = flight.call;
    const left = this.#left.get(key);
    if (!left) return arrivedAt;
    this.#left.delete(key);
    return left.leftAt + LIMITS.retryMs.value > arrivedAt ? left.since : arrivedAt;
  }

  /** It goes without having been served. */
  leave(flight: Flight, now: number): void {
    this.#left.set(flight.guarded.call, { since: flight.since, leftAt: now });
  }
}
