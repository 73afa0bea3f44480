/**
 * drivers/ owns all outside I/O behind base/ports.ts: model APIs, the machine's clock and randomness. Invariant: a
 * driver acts on a ticket only, passes bytes unchanged, and never throws for what the world does. It must not know
 * the gate, policies or budgets.
 */
import type { Clock } from '../base/clock.ts';

/** The machine's clock. Timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, Math.max(0, Math.min(delayMs, 2 ** 31 - 1)));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
