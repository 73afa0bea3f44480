/** What mezz.yaml may say of the engine. */
export interface EngineOptions {
  /** Absent: what the machine can give (backend.ts). */
  readonly threads?: number;
  /** Answers of one model written at once. */
  readonly sequences: number;
  /** Answers kept beside those while they are stopped. */
  readonly kept: number;
  /** The most tokens of one conversation; each sequence has memory for all of them. */
  readonly windowTokens: number;
}

export const ENGINE_DEFAULTS: EngineOptions = { sequences: 2, kept: 1, windowTokens: 8192 };
