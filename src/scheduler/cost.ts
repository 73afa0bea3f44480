/**
 * What a call costs, in virtual tokens: one token of answer is one. A call that needs several limited things costs what
 * it takes of the scarcest for it (dominant resource: Ghodsi et al., NSDI 2011); one that holds a slot costs the time it
 * holds it, which is the sum.
 */
export interface Terms {
  /** Tokens of answer that are worth one computed token of input, and one request. */
  readonly inputWeight: number;
  readonly requestWeight: number;
  /** `sum`: input and answer follow one another in a slot; `max`: each has a limit of its own. */
  readonly combine: 'sum' | 'max';
  /** Tokens that its cache of prefixes holds, all together; undefined: nobody knows, or needs to. */
  readonly cacheTokens?: number | 'learned' | undefined;
  /** Calls whose state it keeps while they are stopped, beside those that run; undefined: none. */
  readonly keeps?: number | undefined;
  /** Calls can be broken off and continued there, for the price of what its cache has lost by then. */
  readonly continues?: boolean | undefined;
}

/** An engine reads about this many tokens while it writes one (measured on real ones: 50 to 200). */
export const ENGINE: Terms = { inputWeight: 1 / 100, requestWeight: 0, combine: 'sum' };

/**
 * Hosted APIs limit input, answers and requests each by itself. In the limits that they publish, a minute has about five
 * tokens of uncached input for one of answer, and a request for some 160.
 */
export const HOSTED: Terms = { inputWeight: 1 / 5, requestWeight: 160, combine: 'max' };

/** The cost of so many computed tokens of input and so many of answer, in virtual tokens. */
export function costOf(terms: Terms, input: number, output: number): number {
  const parts = [input * terms.inputWeight, output, terms.requestWeight];
  return terms.combine === 'max' ? Math.max(...parts) : parts.reduce((sum, part) => sum + part, 0);
}

/** Do two differ so much that an order by one says little about the other? */
export function differ(a: Terms, b: Terms): boolean {
  const far = (x: number, y: number) => Math.abs(x - y) > 0.2 * Math.max(x, y);
  return (
    a.combine !== b.combine || far(a.inputWeight, b.inputWeight) || far(a.requestWeight, b.requestWeight)
  );
}
