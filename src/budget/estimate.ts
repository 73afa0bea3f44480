/** How many tokens a call will use, learned per model and client; and what it can use at most. */
import { Joined } from '../base/joined.ts';
import type { Usage } from '../base/usage.ts';
import { ESTIMATE, type EstimateRow } from '../db/schema/budget.ts';
import type { Batch, Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';
import { readPages } from './pages.ts';

export interface Tokens {
  readonly tokensIn: number;
  readonly tokensOut: number;
}
type Learned = Readonly<Omit<EstimateRow, 'id'>>;
type Changes = Required<Pick<Batch, 'puts' | 'deletes'>>;

/** English prose has about four bytes a token; an answer of a coding agent about this many tokens. */
const FIRST: Learned = { inPerByte: 0.25, out: 500, errors: 0, count: 0 };
const WEIGHT = 0.2;

export class Estimator {
  readonly #learned = new Map<string, Learned>();

  static async open(store: Store): Promise<Estimator> {
    const estimator = new Estimator();
    for await (const { id, ...learned } of readPages(store, ESTIMATE, []))
      estimator.#learned.set(id, learned);
    return estimator;
  }

  estimate(model: string, client: string, bodyBytes: number, maxOutput: number | undefined): Tokens {
    const { inPerByte, out } = this.#learned.get(keyOf(model, client)) ?? FIRST;
    const tokensOut = Math.min(Math.ceil(out), maxOutput ?? Number.POSITIVE_INFINITY);
    return { tokensIn: Math.ceil(bodyBytes * inPerByte), tokensOut };
  }

  /**
   * Takes in what a call really used: an exponentially weighted mean per model and client. Once much is known, its row
   * changes only now and then.
   */
  learn(model: string, client: string, bodyBytes: number, usage: Usage): Changes {
    const tokensIn = usage.input + usage.cacheRead + usage.cacheWrite;
    const actual = tokensIn + usage.output;
    if (bodyBytes <= 0 || actual <= 0) return { puts: [], deletes: [] };
    const guess = this.estimate(model, client, bodyBytes, undefined);
    const id = keyOf(model, client);
    const old = this.#learned.get(id) ?? FIRST;
    const learned: Learned = {
      inPerByte: old.inPerByte + WEIGHT * (tokensIn / bodyBytes - old.inPerByte),
      out: old.out + WEIGHT * (usage.output - old.out),
      errors: old.errors + Math.abs(guess.tokensIn + guess.tokensOut - actual) / actual,
      count: old.count + 1,
    };
    // A Map keeps insertion order: the first is the one not used for longest. It matters only where one may have to go soon.
    if (this.#learned.size > LIMITS.learned.value / 2) this.#learned.delete(id);
    this.#learned.set(id, learned);
    const oldest = this.#learned.keys().next().value;
    const full = this.#learned.size > LIMITS.learned.value && oldest !== undefined;
    if (full) this.#learned.delete(oldest);
    const every = LIMITS.learnedPerRow.value;
    const isStored = learned.count < every || learned.count % every === 0;
    return {
      puts: isStored ? [{ table: ESTIMATE, row: { id, ...learned } }] : [],
      deletes: full ? [{ table: ESTIMATE, key: [oldest] }] : [],
    };
  }

  /** The mean absolute error of the estimates as a share of what was used (0.1 is 10 %); null before the first. */
  error(): number | null {
    let errors = 0;
    let count = 0;
    for (const learned of this.#learned.values()) {
      errors += learned.errors;
      count += learned.count;
    }
    return count === 0 ? null : errors / count;
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

const KEYS = new Joined(LIMITS.learned.value);
const keyOf = (model: string, client: string): string => KEYS.of(model, client);
