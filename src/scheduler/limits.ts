/** Bounds of the scheduler; the length of the queue and the maximum wait are settings. */
export const LIMITS = {
  retryAfterLeastMs: { value: 1_000, unit: 'ms', what: 'the least a refused caller is told to wait' },
  retryAfterMostMs: { value: 60_000, unit: 'ms', what: 'the most a refused caller is told to wait' },
} as const;
