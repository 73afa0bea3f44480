/**
 * What of a rate limit is kept back for calls that go first (a smaller nice value) and have not come yet: otherwise one
 * large call of those that go last empties a bucket just before. Of each class it is known how far it has drawn a bucket
 * down at most of late, as if it were alone under the limit (the burst of an arrival curve: Cruz, 1991), and how far it
 * has now; the difference is kept. Invariant: nothing is kept of a class that asked for nothing lately, from one that goes
 * as early or earlier, or beyond a share of the bucket; and a bucket that is full is kept from nobody, so that what flows
 * in is never lost to what is kept of it.
 */
import type { Bucket } from './bucket.ts';
import { LIMITS } from './limits.ts';
import type { Dimension } from './readings.ts';

interface Draw {
  /** How far below full the bucket would be now, had the class been alone. */
  drawn: number;
  at: number;
  /** The most that was, of late. */
  most: number;
}
interface Class {
  readonly draws: Map<Dimension, Draw>;
  at: number;
}

export class Kept {
  /** By nice value. */
  readonly #classes = new Map<number, Class>();

  /** A call of the class takes so much. What it had drawn before, to be settled with. */
  take(nice: number, dimension: Dimension, amount: number, bucket: Bucket, now: number): number {
    const known = this.#classes.get(nice) ?? { draws: new Map(), at: now };
    this.#classes.set(nice, known);
    known.at = now;
    const draw = known.draws.get(dimension) ?? { drawn: 0, at: now, most: 0 };
    known.draws.set(dimension, draw);
    fill(draw, bucket, now);
    const before = draw.drawn;
    draw.drawn += amount;
    return before;
  }

  /** It was `really` so much: only that is learned from. */
  settle(nice: number, dimension: Dimension, took: number, really: number, before: number): void {
    const draw = this.#classes.get(nice)?.draws.get(dimension);
    if (!draw) return;
    draw.drawn = Math.max(0, draw.drawn - took + really);
    draw.most = Math.max(before + really, draw.most * (1 - LIMITS.keptFades.value / 100));
  }

  /** What a call of this class leaves: just now, and at most when those before it have drawn nothing for a while. */
  from(nice: number, dimension: Dimension, bucket: Bucket, now: number): { now: number; later: number } {
    const kept = { now: 0, later: 0 };
    for (const [other, { draws, at }] of this.#classes) {
      const draw = draws.get(dimension);
      if (other >= nice || !draw || now - at > LIMITS.keptMs.value) continue;
      fill(draw, bucket, now);
      const most = Math.min(draw.most, (bucket.limit * LIMITS.keptShare.value) / 100);
      kept.now += Math.max(0, most - draw.drawn);
      kept.later += most;
    }
    return kept;
  }
}

function fill(draw: Draw, bucket: Bucket, now: number): void {
  draw.drawn = Math.max(0, draw.drawn - bucket.inflow(Math.max(0, now - draw.at)));
  draw.at = Math.max(draw.at, now);
}
