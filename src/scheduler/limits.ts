/** Bounds of the scheduler; the length of the queue and the maximum wait are settings. */
export const LIMITS = {
  retryAfterLeastMs: { value: 1_000, unit: 'ms', what: 'the least a refused caller is told to wait' },
  retryAfterMostMs: { value: 60_000, unit: 'ms', what: 'the most a refused caller is told to wait' },
  limitPauseMs: {
    value: 1_000,
    unit: 'ms',
    what: 'pause after a first refusal by a rate limit that does not say when to try again; then twice as long each time',
  },
  limitMostPauseMs: { value: 60_000, unit: 'ms', what: 'the longest such pause' },
  limitLeastPauseMs: { value: 250, unit: 'ms', what: 'pause after any refusal by a rate limit' },
  limitForgottenMs: {
    value: 600_000,
    unit: 'ms',
    what: 'without a refusal, after which a rate limit no longer bounds how many calls are sent at once',
  },
  turns: { value: 20_000, unit: 'turns', what: 'turns whose service so far is remembered, the latest' },
  owners: { value: 20_000, unit: 'owners', what: 'owners or agents whose share of service is remembered' },
  images: { value: 200, unit: 'kinds', what: 'kinds of programs whose turns are learned from' },
  samplesPerImage: {
    value: 20_000,
    unit: 'turns',
    what: 'finished turns of one kind of program after which older ones count half',
  },
  samplesPerTable: {
    value: 1_000,
    unit: 'turns',
    what: 'finished turns at most until policies hear of them',
  },
  keyParts: { value: 16, unit: 'numbers', what: 'of one key that a policy gives' },
  reasonText: { value: 200, unit: 'characters', what: 'of one reason that a policy gives' },
  reasons: { value: 8, unit: 'reasons', what: 'of one call that a policy gives' },
  cachedTurns: { value: 20_000, unit: 'turns', what: 'turns whose cached prefix is followed, per backend' },
  log: { value: 4_000, unit: 'events', what: 'of late, told to a policy that is put in charge' },
  looks: { value: 64, unit: 'calls', what: "looked at for one that fits a backend's cache" },
  hotMs: {
    value: 60_000,
    unit: 'ms',
    what: 'after its last use, a cached prefix counts as one that will be wanted again',
  },
  warmShare: {
    value: 8,
    unit: 'slots',
    what: "of which the last is for calls that fit a backend's cache, where its size is known",
  },
  listedAhead: { value: 5, unit: 'calls', what: 'named as those ahead of a waiting one' },
  told: { value: 1_000, unit: 'calls', what: 'calls whose estimated wait was told and is compared later' },
} as const;
