/** A limit a minute as hosted APIs keep it: a bucket that fills continuously (token bucket, RFC 2697's one rate). */
export class Bucket {
  readonly perMinute: number;
  #level: number;
  #at: number;

  /** Full at `now`, wall time in ms. */
  constructor(perMinute: number, now: number) {
    this.perMinute = perMinute;
    this.#level = perMinute;
    this.#at = now;
  }

  /** How long until `amount` is there; more than the bucket holds waits for a full one. */
  waitMs(amount: number, now: number): number {
    const missing = Math.min(amount, this.perMinute) - this.level(now);
    return missing <= 0 ? 0 : Math.ceil((missing * 60_000) / this.perMinute);
  }

  /** May go below nothing: output is only known when it is written. */
  take(amount: number, now: number): void {
    this.#level = this.level(now) - amount;
    this.#at = now;
  }

  level(now: number): number {
    const gained = ((now - this.#at) * this.perMinute) / 60_000;
    return Math.min(this.perMinute, this.#level + Math.max(0, gained));
  }
}
