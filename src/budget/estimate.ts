/** How many tokens a call will use: learned per model and client, in memory only; and what it can use at most. */
import type { Usage } from '../base/usage.ts';
import { LIMITS } from './limits.ts';

export interface Tokens {
  readonly tokensIn: number;
  readonly tokensOut: number;
}
interface Learned {
  inPerByte: number;
  out: number;
}

/** English prose has about four bytes a token; an answer of a coding agent about this many tokens. */
const FIRST: Learned = { inPerByte: 0.25, out: 500 };
const WEIGHT = 0.2;

export class Estimator {
  readonly #learned = new Map<string, Learned>();
  #errors = 0;
  #count = 0;

  estimate(model: string, client: string, bodyBytes: number, maxOutput: number | undefined): Tokens {
    const { inPerByte, out } = this.#learned.get(keyOf(model, client)) ?? FIRST;
    const tokensOut = Math.min(Math.ceil(out), maxOutput ?? Number.POSITIVE_INFINITY);
    return { tokensIn: Math.ceil(bodyBytes * inPerByte), tokensOut };
  }

  /** Takes in what a call really used: an exponentially weighted mean per model and client. */
  learn(model: string, client: string, bodyBytes: number, usage: Usage): void {
    const tokensIn = usage.input + usage.cacheRead + usage.cacheWrite;
    const actual = tokensIn + usage.output;
    if (bodyBytes <= 0 || actual <= 0) return;
    const guess = this.estimate(model, client, bodyBytes, undefined);
    this.#errors += Math.abs(guess.tokensIn + guess.tokensOut - actual) / actual;
    this.#count++;
    const key = keyOf(model, client);
    const old = this.#learned.get(key) ?? FIRST;
    this.#learned.delete(key);
    this.#learned.set(key, {
      inPerByte: old.inPerByte + WEIGHT * (tokensIn / bodyBytes - old.inPerByte),
      out: old.out + WEIGHT * (usage.output - old.out),
    });
    const oldest = this.#learned.keys().next().value;
    if (this.#learned.size > LIMITS.learned.value && oldest !== undefined) this.#learned.delete(oldest);
  }

  /** The mean absolute error of the estimates as a share of what was used (0.1 is 10 %); null before the first. */
  error(): number | null {
    return this.#count === 0 ? null : this.#errors / this.#count;
  }
}

/**
 * What a call can use at most: no tokenizer makes more tokens than there are bytes, and each of `choices` answers ends
 * at `maxOutput`. Holds for text in the body itself, not for images, files or conversations it merely names. Undefined
 * without a maximum.
 */
export function proveBound(
  bodyBytes: number,
  maxOutput: number | undefined,
  choices: number,
): Tokens | undefined {
  if (maxOutput === undefined) return undefined;
  return { tokensIn: bodyBytes, tokensOut: maxOutput * choices };
}

const keyOf = (model: string, client: string): string => `${model} ${client}`;
