/** What a lab is like: a model server as slow, as full and as faulty as it is told to be. */
export interface LabOptions {
  /** Same seed and same requests in the same order: same answers, same failures. */
  readonly seed: number;
  /** Prompt tokens read a second; what the prefix cache holds costs nothing. */
  readonly prefillRate: number;
  /** Tokens written a second. */
  readonly decodeRate: number;
  /** Answers written at once. */
  readonly slots: number;
  /** What happens to one more: it waits its turn, or is turned away with 529. */
  readonly whenBusy: 'queue' | 'reject';
  /** Prompt tokens that the prefix cache remembers, least recently used first to go. */
  readonly cacheTokens: number;
  /** Limits of a hosted API, charged as allowance.ts says; absent means none. */
  readonly requestsPerMinute?: number;
  readonly inputPerMinute?: number;
  readonly outputPerMinute?: number;
  readonly tokensPerMinute?: number;
  /** Share of requests, from 0 to 1, that fail in each way. */
  readonly failures: {
    /** Turned away with this status before the first byte. */
    readonly status?: { readonly code: number; readonly share: number };
    /** The connection is cut in the middle of the answer. */
    readonly cut?: number;
    /** One event is not JSON. */
    readonly malformed?: number;
  };
}

export const LAB_DEFAULTS: LabOptions = {
  seed: 1,
  prefillRate: 4000,
  decodeRate: 80,
  slots: 2,
  whenBusy: 'queue',
  cacheTokens: 200_000,
  failures: {},
};
