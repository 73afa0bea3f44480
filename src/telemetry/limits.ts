export const LIMITS = {
  seriesPerMetric: {
    value: 200,
    unit: 'series',
    what: 'label sets of one metric; further ones are counted together as "other"',
  },
  labelLength: { value: 100, unit: 'characters', what: 'length of a label value' },
  logLine: { value: 16 * 1024, unit: 'characters', what: 'length of one line of the log' },
} as const;
