/** Everything random in a simulation comes from its seed through here. */
import { type Random, seededRandom } from '../../src/base/random.ts';

export class Draws {
  readonly random: Random;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.random.unit() * (most - least + 1));
  }

  /** true so many times out of a hundred. */
  chance(percent: number): boolean {
    return this.random.unit() * 100 < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)] as T;
  }

  /** One of the names, each as likely as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const names = Object.keys(weights) as K[];
    const sum = sums.get(weights) ?? names.reduce((total, name) => total + weights[name], 0);
    sums.set(weights, sum);
    let left = this.random.unit() * sum;
    for (const name of names) {
      left -= weights[name];
      if (left < 0) return name;
    }
    return names.at(-1) as K;
  }
}

const sums = new WeakMap<object, number>();
