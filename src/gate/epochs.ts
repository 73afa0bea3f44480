/**
 * Epochs: counters that change when access policies, keys, freezes, agents' holds or the catalog change. A call that
 * waited, or whose START was being written meanwhile, compares them again just before dispatch.
 */
export class Epochs {
  #value = 0;

  /** Anything that could change a decision has changed. */
  advance(): void {
    this.#value++;
  }

  get value(): number {
    return this.#value;
  }
}
