/**
 * What calls in flight may still use. A hold belongs to a scope and not to a period: a call that runs over midnight
 * books in the new day, so it counts against every period until then.
 */
import { assert } from '../base/assert.ts';
import { type NanoUsd, NO_USAGE, type Usage } from '../base/usage.ts';

/** An amount in every dimension a limit may have. `tokens` include `output`. */
export interface Bound {
  readonly usd: NanoUsd;
  readonly tokens: number;
  readonly output: number;
  readonly requests: number;
}

/** What a call would take: strict limits hold the proven `bound`, the others the learned `estimate`. */
export interface Charge {
  readonly scopes: readonly string[];
  readonly bound: Bound | undefined;
  readonly estimate: Bound;
}

/** What a hold books when nobody knows what was used: all of it, in every dimension. */
export const allOf = ({ tokens, output }: Pick<Bound, 'tokens' | 'output'>): Usage => ({
  ...NO_USAGE,
  input: tokens - output,
  output,
});

type Sums = { -readonly [K in keyof Bound]: number };
interface Held {
  readonly strict: Sums;
  readonly soft: Sums;
  calls: number;
}

const noSums = (): Sums => ({ usd: 0, tokens: 0, output: 0, requests: 0 });

export class Holds {
  readonly #charges = new Map<string, Charge>();
  readonly #scopes = new Map<string, Held>();

  add(call: string, charge: Charge): void {
    assert(!this.#charges.has(call), `call ${call} is held twice`);
    this.#charges.set(call, charge);
    for (const scope of charge.scopes) {
      const held = this.#scopes.get(scope) ?? { strict: noSums(), soft: noSums(), calls: 0 };
      held.calls++;
      move(held, charge, 1);
      this.#scopes.set(scope, held);
    }
  }

  /** Ends the hold and says what it was; undefined where none is. */
  take(call: string): Charge | undefined {
    const charge = this.#charges.get(call);
    if (!charge) return undefined;
    this.#charges.delete(call);
    for (const scope of charge.scopes) {
      const held = this.#scopes.get(scope);
      assert(held, `no holds of ${scope}`);
      held.calls--;
      if (held.calls === 0) this.#scopes.delete(scope);
      else move(held, charge, -1);
    }
    return charge;
  }

  held(scope: string, dimension: keyof Bound, strict: boolean): number {
    const held = this.#scopes.get(scope);
    return held ? held[strict ? 'strict' : 'soft'][dimension] : 0;
  }
}

function move(held: Held, charge: Charge, sign: 1 | -1): void {
  add(held.soft, charge.estimate, sign);
  add(held.strict, charge.bound ?? charge.estimate, sign);
}

function add(sums: Sums, bound: Bound, sign: 1 | -1): void {
  sums.usd += sign * bound.usd;
  sums.tokens += sign * bound.tokens;
  sums.output += sign * bound.output;
  sums.requests += sign * bound.requests;
}
