/** Virtual time: one line for the whole simulation, and one clock for each life of the kernel, which dies with it. */
import { type Clock, VirtualClock } from '../../src/base/clock.ts';

/** An hour before a month ends, so that many runs cross a day and a month. */
export const START_MS = Date.UTC(2026, 0, 31, 23, 0);

export class Line {
  readonly clock = new VirtualClock(START_MS);

  /** Runs what is due next and everything that follows from it at once. */
  async step(): Promise<void> {
    const due = this.clock.nextDue();
    if (due !== undefined) this.clock.advanceTo(due);
    await settle();
  }

  /** A promise that resolves after so much virtual time. */
  pause(delayMs: number): Promise<void> {
    return delayMs <= 0 ? Promise.resolve() : new Promise((done) => this.clock.after(delayMs, done));
  }
}

/** Every promise that can go on has gone on: nothing below the kernel's drivers waits for anything but virtual time. */
export const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

/** What a kernel takes for time: its wall clock may be set back, its timers are lost when it dies. */
export class LifeClock implements Clock {
  readonly #line: Line;
  #dead = false;
  /** How far the wall clock was set, ms. */
  skewMs: number;

  constructor(line: Line, skewMs: number) {
    this.#line = line;
    this.skewMs = skewMs;
  }

  now(): number {
    return this.#line.clock.now() + this.skewMs;
  }

  after(delayMs: number, task: () => void): () => void {
    return this.#line.clock.after(delayMs, () => {
      if (!this.#dead) task();
    });
  }

  die(): void {
    this.#dead = true;
  }
}
