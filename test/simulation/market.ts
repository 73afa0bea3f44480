/**
 * The simulated world's models, backends and prices, and what calls cost there - worked out here a second time, so
 * that the oracle never asks the code under test what a call may use.
 */
import type { AccountId, BackendId } from '../../src/base/ids.ts';
import type { DialectName } from '../../src/base/model.ts';
import type { BackendSpec } from '../../src/base/ports.ts';
import type { Usage } from '../../src/base/usage.ts';
import { type PriceOverride, Prices } from '../../src/budget/prices.ts';
import { Catalog, type ModelRoute } from '../../src/gate/catalog.ts';
import type { Draws } from './draws.ts';

interface Rates {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
}

interface Model {
  readonly backends: readonly string[];
  readonly alias?: string;
  /** Nano-dollars per million tokens; null is free. */
  readonly rates: Rates | null;
}

const rates = (input: number, output: number, cacheRead = input, cacheWrite = input): Rates => ({
  input: input * 1e9,
  output: output * 1e9,
  cacheRead: cacheRead * 1e9,
  cacheWrite: cacheWrite * 1e9,
});

export const MODELS: Readonly<Record<string, Model>> = {
  alpha: { backends: ['east'], rates: rates(3, 15) },
  beta: { backends: ['east', 'west'], rates: rates(1, 5) },
  'gamma-long': { backends: ['west'], alias: 'gamma', rates: rates(10, 2, 1, 12) },
  delta: { backends: ['here', 'west'], rates: null },
  embed: { backends: ['west', 'east'], rates: rates(1, 0) },
};

/** Slots by backend; one that is missing is not configured. */
export type Slots = Readonly<Record<string, number>>;
export const NAMES = ['east', 'west', 'here'];

export function drawSlots(draws: Draws): Slots {
  const slots: Record<string, number> = { east: draws.int(1, 3), here: draws.int(1, 2) };
  if (draws.chance(80)) slots.west = draws.int(1, 2);
  return slots;
}

const DIALECTS: readonly DialectName[] = ['anthropic', 'openai-chat', 'openai-embeddings'];

export const specsOf = (slots: Slots): BackendSpec[] =>
  Object.entries(slots).map(([name, count]) => ({
    id: name as BackendId,
    url: `http://${name}.invalid`,
    dialects: DIALECTS,
    credential: name === 'here' ? 'local' : 'kernel',
    provider: name,
    account: `money-${name}` as AccountId,
    slots: count,
    idleTimeoutMs: 60_000,
    // An engine that stops what runs for others, and keeps all of it.
    ...(name === 'here' ? { keeps: 64 } : {}),
  }));

export function newCatalog(slots: Slots): Catalog {
  const routes: ModelRoute[] = Object.entries(MODELS).map(([pattern, { backends, alias }]) => ({
    pattern,
    backends: backends as BackendId[],
    ...(alias ? { alias } : {}),
  }));
  return new Catalog({ backends: specsOf(slots), routes, hasKey: () => true });
}

export const newPrices = (): Prices =>
  new Prices(
    Object.entries(MODELS).map(
      ([name, { alias, rates: price }]): PriceOverride => ({
        pattern: alias ?? name,
        price: price ?? 'free',
      }),
    ),
  );

/** The backends that could take a call now. An object lives where it was made: its id begins with the backend. */
export const candidatesOf = (
  request: { readonly model: string; readonly facts: { readonly objects: readonly string[] } },
  slots: Slots,
): string[] => {
  const [object] = request.facts.objects;
  const named = object === undefined ? MODELS[request.model]?.backends : [object.split('-')[0] as string];
  return (named ?? []).filter((name) => name in slots);
};

const roundUp = (nano: number): number => Math.ceil(nano / 1e6);

/** Is a call paid for where it ran? */
const ratesAt = (model: string, backend: string): Rates | null =>
  backend === 'here' ? null : (MODELS[model]?.rates ?? null);

export function costOf(model: string, backend: string, usage: Usage): number {
  const price = ratesAt(model, backend);
  if (!price) return 0;
  return roundUp(
    usage.input * price.input +
      usage.cacheRead * price.cacheRead +
      usage.cacheWrite * price.cacheWrite +
      usage.output * price.output,
  );
}

/** The most nano-dollars that so many tokens can cost. */
export function mostFor(model: string, backend: string, tokensIn: number, tokensOut: number): number {
  const price = ratesAt(model, backend);
  if (!price) return 0;
  const dearest = Math.max(price.input, price.cacheRead, price.cacheWrite);
  return roundUp(tokensIn * dearest + tokensOut * price.output);
}

export const tokensOf = (usage: Usage): number =>
  usage.input + usage.cacheRead + usage.cacheWrite + usage.output;
