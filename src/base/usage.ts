/**
 * What a model call used, normalised: `input` excludes cached input (Anthropic's convention; OpenAI's
 * `input_tokens` minus its `cached_tokens`), `output` includes reasoning. All counts are tokens.
 */
export interface Usage {
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly reasoning: number;
}

export const NO_USAGE: Usage = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 };

/** Money in integer nano-dollars (1e-9 USD): safe integers up to nine million dollars. */
export type NanoUsd = number;

/** What a dollar is in it. */
export const NANO_PER_USD = 1e9;

/** "$1.2345" with as many digits as matter. */
export function formatUsd(nano: NanoUsd): string {
  const usd = nano / 1e9;
  const digits = usd !== 0 && Math.abs(usd) < 0.01 ? 6 : Math.abs(usd) < 1 ? 4 : 2;
  return `$${usd.toFixed(digits)}`;
}
