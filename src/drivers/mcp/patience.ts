/** How long a tool server may be silent about a call: renewed by what it says, held while somebody else is waited for. */
import type { Clock } from '../../base/clock.ts';

export class Patience {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #late: () => void;
  #cancel: () => void = () => {};
  #isOver = false;

  constructor(clock: Clock, timeoutMs: number, late: () => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#late = late;
    this.renew();
  }

  renew(): void {
    this.#cancel();
    if (!this.#isOver) this.#cancel = this.#clock.after(this.#timeoutMs, this.#late);
  }

  hold(): void {
    this.#cancel();
  }

  stop(): void {
    this.#isOver = true;
    this.#cancel();
  }
}
