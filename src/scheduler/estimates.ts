/** Estimated waits that were told to somebody, and how far off they turned out to be. */
import { Recent } from '../base/recent.ts';
import { LIMITS } from './limits.ts';

interface Told {
  readonly at: number;
  readonly estimateMs: number;
}

export class Estimates {
  readonly #told = new Recent<string, Told>(LIMITS.told.value);
  #count = 0;
  #sum = 0;

  /** The mean absolute error as a share of the real wait (0.1 is 10 %); null before the first. */
  get error(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count;
  }

  /** The first that was told of a call counts. */
  told(call: string, at: number, estimateMs: number): void {
    if (this.#told.has(call)) return;
    this.#told.set(call, { at, estimateMs });
  }

  granted(call: string, at: number): void {
    const told = this.#told.get(call);
    if (!told) return;
    this.#told.delete(call);
    const waitedMs = at - told.at;
    this.#count++;
    this.#sum += Math.abs(told.estimateMs - waitedMs) / Math.max(1, waitedMs);
  }
}
