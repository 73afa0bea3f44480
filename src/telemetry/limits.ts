export const LIMITS = {
  seriesPerMetric: {
    value: 200,
    unit: 'series',
    what: 'label sets of one metric; further ones are counted together as "other"',
  },
  labelLength: { value: 100, unit: 'characters', what: 'length of a label value' },
  logLine: { value: 16 * 1024, unit: 'characters', what: 'length of one line of the log' },
  troubleMs: { value: 60_000, unit: 'ms', what: 'between two lines about the same lasting trouble' },
  troubles: { value: 1000, unit: 'troubles', what: 'remembered, so that each is told once a minute' },
  slowCommitMs: { value: 1000, unit: 'ms', what: 'a commit that takes longer is told in the log' },
} as const;
