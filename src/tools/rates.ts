/**
 * How many calls a minute a place bears: a bucket that fills with time; and for how long it has asked to be left alone.
 * Invariant: over any stretch of time no more calls are taken than the bucket held and what came in meanwhile, and none
 * while it is to be left alone; who waits is tried again as soon as there is one.
 */
import type { Clock } from '../base/clock.ts';

export interface Rated {
  readonly name: string;
  readonly perMinute?: number;
}

interface Bucket {
  readonly perMinute: number;
  left: number;
  filledAt: number;
}

/** The place of the calls that run at a tool server. */
export const callsAt = (server: string): string => `calls:${server}`;

const MINUTE_MS = 60_000;

export class Rates {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();
  /** Until when those that asked for it get no call. */
  readonly #shutUntil = new Map<string, number>();
  /** Places at which somebody waits for the next call, and will be told. */
  readonly #awaited = new Set<string>();
  /** Tries whoever waits. */
  onFree: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The first of these places that has no call left just now; whoever asks is told when it has. */
  lacking(places: readonly Rated[]): string | undefined {
    return places.find((place) => {
      const shutMs = this.shutMs(place.name);
      if (shutMs > 0) {
        this.#await(place.name, shutMs);
        return true;
      }
      const bucket = this.#fill(place);
      if (!bucket || bucket.left >= 1) return false;
      this.#await(place.name, ((1 - bucket.left) * MINUTE_MS) / bucket.perMinute);
      return true;
    })?.name;
  }

  /** The place has asked for no call in this time. */
  shut(name: string, ms: number): void {
    this.#shutUntil.set(name, Math.max(this.#shutUntil.get(name) ?? 0, this.#clock.now() + ms));
  }

  /** For how long it gets none; 0 where it gets them. */
  shutMs(name: string): number {
    return Math.max(0, (this.#shutUntil.get(name) ?? 0) - this.#clock.now());
  }

  take(places: readonly Rated[]): void {
    for (const place of places) {
      const bucket = this.#fill(place);
      if (bucket) bucket.left--;
    }
  }

  #await(name: string, ms: number): void {
    if (this.#awaited.has(name)) return;
    this.#awaited.add(name);
    this.#clock.after(Math.ceil(ms), () => {
      this.#awaited.delete(name);
      this.onFree();
    });
  }

  #fill({ name, perMinute }: Rated): Bucket | undefined {
    if (perMinute === undefined) return undefined;
    const now = this.#clock.now();
    const bucket = this.#buckets.get(name) ?? { perMinute, left: perMinute, filledAt: now };
    bucket.left = Math.min(perMinute, bucket.left + ((now - bucket.filledAt) * perMinute) / MINUTE_MS);
    bucket.filledAt = now;
    this.#buckets.set(name, bucket);
    return bucket;
  }
}
