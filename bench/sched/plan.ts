/**
 * A hosted API's limits in front of the engine: buckets for requests, uncached input and output, each refilled all the
 * time and as large as a minute's worth. A call that does not fit is turned away with 429 and the whole seconds until it
 * does; one larger than a bucket passes when that is full. Answers say what is left, as Anthropic's do.
 */
import type { LabReply } from '../../src/drivers/lab/script.ts';
import type { Limiter } from './live.ts';

export interface Plan {
  readonly requests: number;
  readonly input: number;
  readonly output: number;
}

/** Limits per minute of the first two tiers that Anthropic published in 2026; the second begins at 40 dollars of credit. */
export const FIRST_TIER: Plan = { requests: 50, input: 30_000, output: 8_000 };
export const SECOND_TIER: Plan = { requests: 1_000, input: 450_000, output: 90_000 };

class Bucket {
  readonly perMinute: number;
  level: number;
  #atS = 0;

  constructor(perMinute: number) {
    this.perMinute = perMinute;
    this.level = perMinute;
  }

  /** Seconds until it has so much, or is full. */
  missesS(need: number, nowS: number): number {
    this.level = Math.min(this.perMinute, this.level + ((nowS - this.#atS) * this.perMinute) / 60);
    this.#atS = nowS;
    const least = Math.min(need, 0.999 * this.perMinute);
    return (60 * Math.max(0, least - this.level)) / this.perMinute;
  }
}

export class PlanLimiter implements Limiter {
  readonly #requests: Bucket;
  readonly #input: Bucket;
  readonly #output: Bucket;

  constructor({ requests, input, output }: Plan) {
    this.#requests = new Bucket(requests);
    this.#input = new Bucket(input);
    this.#output = new Bucket(output);
  }

  take(fresh: number, output: number, nowS: number): LabReply {
    const waitS = Math.max(
      this.#requests.missesS(1, nowS),
      this.#input.missesS(fresh, nowS),
      this.#output.missesS(1, nowS),
    );
    if (waitS > 0) return { status: 429, headers: { 'retry-after': String(Math.ceil(waitS)) } };
    this.#requests.level -= 1;
    this.#input.level -= fresh;
    this.#output.level -= output;
    return { headers: this.#headers() };
  }

  #headers(): Record<string, string> {
    const buckets = {
      requests: this.#requests,
      'input-tokens': this.#input,
      'output-tokens': this.#output,
    };
    return Object.fromEntries(
      Object.entries(buckets).flatMap(([name, { perMinute, level }]) => [
        [`anthropic-ratelimit-${name}-limit`, String(perMinute)],
        [`anthropic-ratelimit-${name}-remaining`, String(Math.max(0, Math.floor(level)))],
      ]),
    );
  }
}
