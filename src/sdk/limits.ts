export const LIMITS = {
  controlResponseBytes: {
    value: 64 * 1024 * 1024,
    unit: 'bytes',
    what: 'the largest answer of the kernel that a client reads',
  },
  controlTimeoutMs: { value: 30_000, unit: 'ms', what: 'how long a client waits for an ordinary answer' },
  controlLongTimeoutMs: {
    value: 3_600_000,
    unit: 'ms',
    what: 'how long a client waits for an answer that reads or writes the whole store',
  },
  socketPathBytes: {
    value: 103,
    unit: 'bytes',
    what: 'the longest path of a unix socket that every supported system takes',
  },
} as const;
