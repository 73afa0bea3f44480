export const LIMITS = {
  configBytes: { value: 1024 * 1024, unit: 'bytes', what: 'the largest mezz.yaml that is read' },
  keyBytes: { value: 16 * 1024, unit: 'bytes', what: 'the largest file that a backend key is read from' },
  aliases: { value: 100, unit: 'nodes', what: 'values that aliases in mezz.yaml may repeat' },
  problems: { value: 20, unit: 'problems', what: 'mistakes in mezz.yaml that are told at once' },
  weightsAtOnce: { value: 20, unit: 'owners', what: 'whose weights one mezz sched set may set' },
  policyPath: {
    value: 200,
    unit: 'characters',
    what: "of the path of an operator's own policy, kept in an entry",
  },
  reloadPauseMs: {
    value: 100,
    unit: 'ms',
    what: 'quiet time after a change of mezz.yaml before it is read again',
  },
} as const;
