/** Time as an argument. `now` is wall time in ms since 1970; `after` schedules once and never keeps a process alive. */
export interface Clock {
  now(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, task: () => void): () => void;
}

/** A clock that moves only when told to: simulations and tests run in virtual time. */
export class VirtualClock implements Clock {
  #now: number;
  #order = 0;
  #timers: { at: number; order: number; task: () => void }[] = [];

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** When the next timer is due, or undefined. */
  nextDue(): number | undefined {
    return this.#timers.length === 0 ? undefined : Math.min(...this.#timers.map((timer) => timer.at));
  }

  /** Moves to `atMs`, running every timer due on the way, in order of time and then of creation. */
  advanceTo(atMs: number): void {
    for (;;) {
      this.#timers.sort((a, b) => a.at - b.at || a.order - b.order);
      const due = this.#timers[0];
      if (!due || due.at > atMs) break;
      this.#timers.shift();
      this.#now = Math.max(this.#now, due.at);
      due.task();
    }
    this.#now = Math.max(this.#now, atMs);
  }
}
