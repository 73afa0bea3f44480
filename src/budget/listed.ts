/** What the public list of models says of one: its rates and its context window. */
import { createRequire } from 'node:module';
import type { ModelPrice } from '@pydantic/genai-prices';

type List = typeof import('@pydantic/genai-prices');
const require = createRequire(import.meta.url);
/** Loaded when the first price is asked for: it is large, and a kernel is to be up before. */
let list: List | undefined;
function priceList(): List {
  list ??= require('@pydantic/genai-prices') as List;
  return list;
}

export interface Listed {
  readonly price: ModelPrice;
  /** Tokens, prompt and answer together; undefined where the list does not say. */
  readonly window: number | undefined;
}

/** After every announced change of price and outside the hours of discounts: a price must not depend on when one asks. */
const LIST_DATE = new Date(Date.UTC(2100, 0, 1, 12));
/** The list infers most providers from the name; of the rest, these serve models under names of their own. */
const PROVIDERS = ['openai', 'anthropic', 'google'];

/** Every entry that may be meant by a model's name (`claude-x`, or `provider/name`), the likeliest first. */
export function* listedModels(model: string): Generator<Listed> {
  const [provider, name] = model.includes('/') ? model.split('/', 2) : [undefined, model];
  const asked = provider === undefined ? [undefined, ...PROVIDERS] : [provider];
  for (const providerId of asked) {
    const found = priceList().calcPrice({ input_tokens: 0 }, name ?? model, {
      timestamp: LIST_DATE,
      ...(providerId === undefined ? {} : { providerId }),
    });
    if (found) yield { price: found.model_price, window: found.model.context_window };
  }
}

/** The context window of a hosted model in tokens, or undefined when the list does not know it. */
export function listedWindow(model: string): number | undefined {
  for (const { window } of listedModels(model)) if (window !== undefined) return window;
  return undefined;
}
