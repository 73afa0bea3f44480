/**
 * The rate limits of a hosted API. Buckets of requests, and either of input and output, which are charged as Anthropic
 * says: what the cache has is free, an answer counts as it is written and calls are refused while nothing is left; or of
 * tokens, as OpenAI says: the whole input and the most the answer may have count at once. A call that is refused counts
 * for nothing.
 */
import { Bucket } from './bucket.ts';

export const DIMENSIONS = ['requests', 'input', 'output', 'tokens'] as const;
export type LabDimension = (typeof DIMENSIONS)[number];
export type Limits = Readonly<Partial<Record<LabDimension, number>>>;

/** What a call asks for, in tokens; `bound` is undefined where it sets none. */
export interface Ask {
  readonly input: number;
  readonly cached: number;
  readonly bound: number | undefined;
}

const ANTHROPIC: Readonly<Record<LabDimension, string>> = {
  requests: 'requests',
  input: 'input-tokens',
  output: 'output-tokens',
  tokens: 'tokens',
};

export class Allowance {
  readonly #buckets = new Map<LabDimension, Bucket>();

  /** `limits` are what a span of `fillMs` brings, and the most that can be saved up. */
  constructor(limits: Limits, now: number, fillMs = 60_000) {
    for (const dimension of DIMENSIONS) {
      const size = limits[dimension];
      if (size !== undefined) this.#buckets.set(dimension, new Bucket(size, now, fillMs));
    }
  }

  /** Takes a call: 0; or how long until it would be taken. */
  admit(ask: Ask, now: number): number {
    const waitsMs = [...this.#buckets].map(([dimension, bucket]) =>
      bucket.waitMs(dimension === 'output' ? 1 : chargeOf(dimension, ask), now),
    );
    const longestMs = Math.max(0, ...waitsMs);
    if (longestMs > 0) return longestMs;
    for (const [dimension, bucket] of this.#buckets)
      if (dimension !== 'output') bucket.take(chargeOf(dimension, ask), now);
    return 0;
  }

  /** Tokens of a call's answer that were written just now. */
  wrote(tokens: number, { bound }: Pick<Ask, 'bound'>, now: number): void {
    this.#buckets.get('output')?.take(tokens, now);
    if (bound === undefined) this.#buckets.get('tokens')?.take(tokens, now);
  }

  level(dimension: LabDimension, now: number): number | undefined {
    return this.#buckets.get(dimension)?.level(now);
  }

  resize(dimension: LabDimension, size: number, now: number): void {
    this.#buckets.get(dimension)?.resize(size, now);
  }

  /** As the API of this kind says it in its headers: [name, value]. */
  headers(kind: 'anthropic' | 'openai', now: number): [string, string][] {
    return [...this.#buckets].flatMap(([dimension, bucket]): [string, string][] => {
      const left = String(Math.max(0, Math.floor(bucket.level(now))));
      const fullMs = bucket.waitMs(bucket.size, now);
      if (kind === 'openai') {
        const name = dimension === 'requests' ? dimension : 'tokens';
        return [
          [`x-ratelimit-limit-${name}`, String(bucket.size)],
          [`x-ratelimit-remaining-${name}`, left],
          [`x-ratelimit-reset-${name}`, `${fullMs}ms`],
        ];
      }
      const name = `anthropic-ratelimit-${ANTHROPIC[dimension]}`;
      return [
        [`${name}-limit`, String(bucket.size)],
        [`${name}-remaining`, left],
        [`${name}-reset`, `${new Date(Math.ceil((now + fullMs) / 1000) * 1000).toISOString().slice(0, 19)}Z`],
      ];
    });
  }
}

function chargeOf(dimension: LabDimension, { input, cached, bound = 0 }: Ask): number {
  if (dimension === 'requests') return 1;
  return dimension === 'input' ? input - cached : input + bound;
}
