/** What both sides of bench/engine.ts are asked, and what they say. */
export interface Asked {
  /** All at once. */
  readonly prompts: readonly string[];
  /** Tokens of each answer, at most. */
  readonly most: number;
}
export interface Measured {
  readonly tokens: number;
  /** From the first request to the last token. */
  readonly ms: number;
  /** To the first token of each answer. */
  readonly firstMs: readonly number[];
}
