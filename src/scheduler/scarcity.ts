/**
 * Which bucket of a rate limit is scarce: what calls had to wait for of late. A dimension that hardly anybody waits for
 * costs little, however much of it a call takes (the price of a resource is what more of it would be worth); on real
 * sessions an order by service at these prices loses half as much to one that knows the future. Never less than a
 * quarter: what is cheap today would bind tomorrow if nobody counted it.
 */
import type { Dimension } from './readings.ts';

/** How much one wait counts against those before. */
const WEIGHT = 0.01;
const LEAST = 0.25;

export class Scarcity {
  readonly #waits: Record<Dimension, number> = { requests: 1, input: 1, output: 1, tokens: 1 };

  /** A call has to wait for this one. */
  waited(dimension: Dimension): void {
    for (const each of Object.keys(this.#waits) as Dimension[])
      this.#waits[each] += WEIGHT * (Number(each === dimension) - this.#waits[each]);
  }

  /** What a part of it costs: 1 for the scarcest. */
  priceOf(dimension: Dimension): number {
    const most = Math.max(...Object.values(this.#waits));
    return Math.max(LEAST, this.#waits[dimension] / most);
  }
}
