/**
 * How a provider charges its buckets, learned from what its headers show, best when one call alone was new: is cached
 * input counted, and is an answer counted by the most it may have (`max_tokens`) when it begins, or as it is written?
 * Before anything is known the costlier is assumed: that lets one call go at a time, and it teaches.
 */
import type { Dimension } from './readings.ts';

/** What one call takes, as far as it is known before it is sent. Tokens. */
export interface Need {
  /** The whole input, and how much of it the provider should have cached. */
  readonly input: number;
  readonly cached: number;
  /** The answer as expected, and at most. */
  readonly output: number;
  readonly bound: number;
}

/** What is charged when the call is taken, and what follows while it is answered. */
export interface Charge {
  readonly now: number;
  readonly later: number;
}

interface Model {
  readonly countsCached: boolean;
  readonly countsBound: boolean;
}

const MODELS: readonly Model[] = [false, true].flatMap((countsCached) =>
  [false, true].map((countsBound) => ({ countsCached, countsBound })),
);

const chargeBy = ({ countsCached, countsBound }: Model, dimension: Dimension, need: Need): Charge => {
  if (dimension === 'requests') return { now: 1, later: 0 };
  const input = dimension === 'output' ? 0 : countsCached ? need.input : need.input - need.cached;
  const isOutput = dimension !== 'input';
  return {
    now: input + (isOutput && countsBound ? need.bound : 0),
    later: isOutput && !countsBound ? need.output : 0,
  };
};

export class Charging {
  /** How sure: 1 it is, 0 it is not. */
  #cached = 1;
  #bound = 1;

  get countsCached(): boolean {
    return this.#cached > 0.5;
  }

  get countsBound(): boolean {
    return this.#bound > 0.5;
  }

  chargeOf(dimension: Dimension, need: Need): Charge {
    return chargeBy(this, dimension, need);
  }

  /**
   * A call whose answer has begun took `most` of the bucket at most: what is not there cannot have been taken. Whatever
   * else was on its way, that refutes a way of charging by which it would have been more.
   */
  refute(dimension: Dimension, need: Need, most: number): void {
    const isPossible = (model: Model) => chargeBy(model, dimension, need).now <= most + 0.1 * need.input;
    const possible = MODELS.filter(isPossible);
    if (possible.length === 0 || possible.length === MODELS.length) return;
    if (possible.every(({ countsCached }) => !countsCached)) this.#cached /= 2;
    if (possible.every(({ countsBound }) => !countsBound)) this.#bound /= 2;
  }

  /**
   * The one call that was new used `need`, and when its answer began `gone` was missing of the bucket since the figures
   * before, give or take `slack`; answers of calls that ended meanwhile had `written` some.
   */
  learn(dimension: Dimension, need: Need, gone: number, written: number, slack: number): void {
    const costOf = (model: Model): number =>
      chargeBy(model, dimension, need).now +
      (dimension === 'requests' || dimension === 'input' || model.countsBound ? 0 : written);
    const error = (model: Model): number => Math.abs(costOf(model) - gone);
    const margin = 2 * slack + 1;
    // More is gone than anything explains: somebody else was there.
    if (gone < -margin || gone > 1.2 * Math.max(...MODELS.map(costOf)) + margin) return;
    const best = MODELS.reduce((a, b) => (error(b) < error(a) ? b : a));
    // Only what would have made a clear difference is learned.
    const differs = (other: Model) =>
      Math.abs(costOf(other) - costOf(best)) > margin && error(other) > 2 * error(best) + margin;
    const { countsCached, countsBound } = best;
    if (differs({ countsCached: !countsCached, countsBound }))
      this.#cached += 0.5 * (Number(countsCached) - this.#cached);
    if (differs({ countsCached, countsBound: !countsBound }))
      this.#bound += 0.5 * (Number(countsBound) - this.#bound);
  }
}
