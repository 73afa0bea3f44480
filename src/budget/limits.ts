/** Bounds of the budget. */
export const LIMITS = {
  page: { value: 1_000, unit: 'rows', what: 'read from the store at once' },
  learned: { value: 1_024, unit: 'pairs', what: 'of model and client whose token counts are remembered' },
  learnedPerRow: {
    value: 16,
    unit: 'calls',
    what: 'of a model after which what was learned is stored again: a crash loses what came since',
  },
  prices: { value: 1_024, unit: 'models', what: 'whose price is remembered' },
  forecastMs: {
    value: 600_000,
    unit: 'ms',
    what: 'between two readings that tell the rate of a plan window',
  },
  windows: { value: 10_000, unit: 'windows', what: 'of provider plans, the newest reading of each' },
  accounts: { value: 100_000, unit: 'accounts', what: 'known; later ones are charged without parents' },
  accountDepth: { value: 8, unit: 'levels', what: 'of accounts above one another' },
} as const;
