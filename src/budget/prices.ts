/** What models cost: the operator's prices first, then the public price list; what neither knows has no price. */
import type { ModelPrice } from '@pydantic/genai-prices';
import type { NanoUsd, Usage } from '../base/usage.ts';
import { LIMITS } from './limits.ts';
import { listedModels } from './listed.ts';

/** Nano-dollars per million tokens. */
export interface PriceView {
  readonly input: NanoUsd;
  readonly output: NanoUsd;
  readonly cacheRead: NanoUsd;
  readonly cacheWrite: NanoUsd;
}
export interface PriceOverride {
  /** A model's name, or a glob with `*`. The first that fits decides. */
  readonly pattern: string;
  readonly price:
    | 'free'
    | {
        readonly input: NanoUsd;
        readonly output: NanoUsd;
        readonly cacheRead?: NanoUsd;
        readonly cacheWrite?: NanoUsd;
      };
}

/** The rates of requests with at least `from` input tokens. `dearest` is the most that one input token can cost. */
interface Tier extends PriceView {
  readonly from: number;
  readonly dearest: NanoUsd;
}
type Found = 'free' | readonly Tier[] | undefined;

export class Prices {
  readonly #overrides: readonly { regex: RegExp; price: PriceOverride['price'] }[];
  readonly #found = new Map<string, Found>();

  constructor(overrides: readonly PriceOverride[]) {
    this.#overrides = overrides.map(({ pattern, price }) => ({ regex: globRegex(pattern), price }));
  }

  /** The rates of an ordinary request, `free`, or undefined when nobody knows. Long requests may cost more. */
  priceOf(model: string): 'free' | PriceView | undefined {
    const found = this.#find(model);
    if (found === undefined || found === 'free') return found;
    const { input, output, cacheRead, cacheWrite } = found[0] as Tier;
    return { input, output, cacheRead, cacheWrite };
  }

  /** What a call cost, rounded up to a whole nano-dollar; undefined, never 0, without a price. */
  costOf(model: string, usage: Usage): NanoUsd | undefined {
    const found = this.#find(model);
    if (found === undefined) return undefined;
    if (found === 'free') return 0;
    const tier = tierOf(found, usage.input + usage.cacheRead + usage.cacheWrite);
    return sumUp([
      [usage.input, tier.input],
      [usage.cacheRead, tier.cacheRead],
      [usage.cacheWrite, tier.cacheWrite],
      [usage.output, tier.output],
    ]);
  }

  /** The most a call of so many tokens can cost, whatever part of its input is read from or written to a cache. */
  boundOf(model: string, tokensIn: number, tokensOut: number): NanoUsd | undefined {
    const found = this.#find(model);
    if (found === undefined) return undefined;
    if (found === 'free') return 0;
    const reached = found.filter((tier) => tier.from <= tokensIn);
    const most = (rate: 'dearest' | 'output') => Math.max(...reached.map((tier) => tier[rate]));
    return sumUp([
      [tokensIn, most('dearest')],
      [tokensOut, most('output')],
    ]);
  }

  #find(model: string): Found {
    if (this.#found.has(model)) return this.#found.get(model);
    if (this.#found.size >= LIMITS.prices.value) this.#found.clear();
    const override = this.#overrides.find(({ regex }) => regex.test(model));
    const found = override ? fromOverride(override.price) : fromList(model);
    this.#found.set(model, found);
    return found;
  }
}

function fromOverride(price: PriceOverride['price']): Found {
  if (price === 'free') return 'free';
  const { input, output, cacheRead = input, cacheWrite = input } = price;
  return [{ from: 0, input, output, cacheRead, cacheWrite, dearest: Math.max(input, cacheRead, cacheWrite) }];
}

function fromList(model: string): Found {
  for (const { price } of listedModels(model)) {
    const tiers = tiersOf(price);
    if (tiers) return tiers;
  }
  return undefined;
}

/** The list's dollars per million as nano-dollars per million. A listed price of nothing is no price. */
function tiersOf(price: ModelPrice): readonly Tier[] | undefined {
  if (price.input_mtok === undefined) return undefined;
  const starts = Object.values(price).flatMap((rate) =>
    typeof rate === 'object' ? rate.tiers.map((tier) => tier.start) : [],
  );
  const tiers = [0, ...new Set(starts)].sort((a, b) => a - b).map((from) => tierAt(price, from));
  return tiers.some((tier) => tier.input > 0 || tier.output > 0) ? tiers : undefined;
}

function tierAt(price: ModelPrice, from: number): Tier {
  const rate = (name: string): NanoUsd | undefined => {
    const value = price[name];
    if (value === undefined) return undefined;
    if (typeof value === 'number') return Math.round(value * 1e9);
    const reached = value.tiers.filter((tier) => tier.start <= from).sort((a, b) => b.start - a.start);
    return Math.round((reached[0]?.price ?? value.base) * 1e9);
  };
  const input = rate('input_mtok') ?? 0;
  const cacheRead = rate('cache_read_mtok') ?? input;
  const cacheWrite = rate('cache_write_mtok') ?? input;
  const longWrite = rate('cache_write_1h_mtok') ?? cacheWrite;
  const dearest = Math.max(input, cacheRead, cacheWrite, longWrite);
  return { from, input, output: rate('output_mtok') ?? 0, cacheRead, cacheWrite, dearest };
}

function tierOf(tiers: readonly Tier[], tokensIn: number): Tier {
  return tiers.findLast((tier) => tier.from <= tokensIn) as Tier;
}

/** Exact whatever the amounts: products can pass the safe integers before the division. */
function sumUp(parts: readonly (readonly [tokens: number, perMillion: NanoUsd])[]): NanoUsd {
  const sum = parts.reduce((total, [tokens, rate]) => total + BigInt(tokens) * BigInt(rate), 0n);
  return Number((sum + 999_999n) / 1_000_000n);
}

function globRegex(pattern: string): RegExp {
  return new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);
}
