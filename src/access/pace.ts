/**
 * How fast a tree of agents spends: what it spent minute by minute over the last hour. Faster than the rate means that
 * more than an hour's worth went within any hour. In memory only: a restart begins a new hour.
 */
import { formatUsd, type NanoUsd } from '../base/usage.ts';
import { LIMITS } from './limits.ts';

const MINUTE_MS = 60_000;
const HOUR = 60;

interface Spending {
  /** By minute since 1970, of the last hour. */
  readonly minutes: Map<number, NanoUsd>;
  /** Their sum. */
  spent: NanoUsd;
  /** Minutes up to this one are forgotten. */
  until: number;
}

export class Pace {
  /** By the pid of the tree's root, the one that spent last at the end. */
  readonly #trees = new Map<number, Spending>();

  /** Why the tree should be asked about: it spent at least `perHour` within the hour before `now`. */
  check(tree: number, perHour: NanoUsd, now: number): string | undefined {
    const { minutes, spent } = this.#recent(tree, now);
    if (spent < perHour) return undefined;
    const [first = 0] = minutes.keys();
    const span = Math.floor(now / MINUTE_MS) - first + 1;
    return `The agent and its sub-agents spent ${formatUsd(spent)} within ${span} min, the rate is ${formatUsd(perHour)} an hour.`;
  }

  /** Less than was reserved was spent where `amount` is negative. */
  spend(tree: number, amount: NanoUsd, now: number): void {
    if (amount === 0) return;
    const spending = this.#recent(tree, now);
    const minute = Math.floor(now / MINUTE_MS);
    spending.minutes.set(minute, (spending.minutes.get(minute) ?? 0) + amount);
    spending.spent += amount;
    this.#trees.delete(tree);
    this.#trees.set(tree, spending);
    if (this.#trees.size > LIMITS.paceTrees.value)
      this.#trees.delete(this.#trees.keys().next().value as number);
  }

  /** Counts anew: the next question comes when as much again was spent within an hour. */
  rearm(tree: number): void {
    this.#trees.delete(tree);
  }

  #recent(tree: number, now: number): Spending {
    const spending = this.#trees.get(tree) ?? { minutes: new Map(), spent: 0, until: 0 };
    const oldest = Math.floor(now / MINUTE_MS) - HOUR;
    if (oldest === spending.until) return spending;
    for (const [minute, amount] of spending.minutes)
      if (minute <= oldest) {
        spending.minutes.delete(minute);
        spending.spent -= amount;
      }
    spending.until = oldest;
    return spending;
  }
}
