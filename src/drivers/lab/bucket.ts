/** A limit as hosted APIs keep it: a bucket that fills continuously (token bucket, RFC 2697's one rate). */
export class Bucket {
  #size: number;
  readonly #fillMs: number;
  #level: number;
  #at: number;

  /** Full at `now`, wall time in ms; an empty one is full again after `fillMs`. */
  constructor(size: number, now: number, fillMs = 60_000) {
    this.#size = size;
    this.#fillMs = fillMs;
    this.#level = size;
    this.#at = now;
  }

  get size(): number {
    return this.#size;
  }

  /** Another size from now on; what is in it stays. */
  resize(size: number, now: number): void {
    this.#level = Math.min(size, this.level(now));
    this.#at = now;
    this.#size = size;
  }

  /** How long until `amount` is there; more than the bucket holds waits for a full one. */
  waitMs(amount: number, now: number): number {
    const missing = Math.min(amount, this.#size) - this.level(now);
    return missing <= 1e-9 ? 0 : Math.ceil((missing * this.#fillMs) / this.#size);
  }

  /** May go below nothing: output is only known when it is written. */
  take(amount: number, now: number): void {
    this.#level = this.level(now) - amount;
    this.#at = now;
  }

  level(now: number): number {
    const gained = ((now - this.#at) * this.#size) / this.#fillMs;
    return Math.min(this.#size, this.#level + Math.max(0, gained));
  }
}
