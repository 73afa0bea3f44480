export const LIMITS = {
  hurryMs: {
    value: 30_000,
    unit: 'ms',
    what: "before a provider forgets a waiting call's cached prefix it is preferred",
  },
  retries: {
    value: 20_000,
    unit: 'calls',
    what: 'that were not served and whose places are kept for their retries',
  },
  retryMs: { value: 600_000, unit: 'ms', what: 'for which such a place is kept' },
  undoRows: { value: 10_000, unit: 'changes', what: 'looked at to take calls of agents back' },
  waits: { value: 20_000, unit: 'calls', what: 'calls that may wait at the gate at once, over all reasons' },
  stoppedMs: {
    value: 600_000,
    unit: 'ms',
    what: 'how long an answer stands still with its paused agent before it goes on to its end',
  },
  progressMs: { value: 5000, unit: 'ms', what: 'between two words to a client that its tool call waits' },
  maxHoldMs: {
    value: 600_000,
    unit: 'ms',
    what: 'how long a call may wait when its client names no timeout',
  },
  reentries: {
    value: 64,
    unit: 'times',
    what: 'how often one call may re-enter at decide before it is refused as busy',
  },
  answerMs: {
    value: 2000,
    unit: 'ms',
    what: "kept of a call's deadline for the answer itself, when it waits for a rate limit",
  },
  limitLookMs: { value: 1000, unit: 'ms', what: 'pause between two looks whether a rate limit has room' },
  drainCutMs: {
    value: 2000,
    unit: 'ms',
    what: 'how long calls cut at the end of a drain have to book their END',
  },
  page: { value: 1000, unit: 'entries', what: 'entries read at once when balances are proven' },
  problems: { value: 100, unit: 'lines', what: 'differences told at once when balances are proven' },
  lookMs: {
    value: 2000,
    unit: 'ms',
    what: "pause between two looks whether agents' programs are still there",
  },
  goneMs: {
    value: 5000,
    unit: 'ms',
    what: 'how long whoever started a program may take to say how it ended, before its agent is closed',
  },
  heldRetryMs: {
    value: 1000,
    unit: 'ms',
    what: 'after which a call may try again that calls in flight leave no budget for',
  },
  longestTimerMs: {
    value: 86_400_000,
    unit: 'ms',
    what: 'how long the kernel waits for a period to end before it looks again',
  },
  traceSteps: { value: 64, unit: 'steps', what: 'steps remembered of one call in flight' },
  recentTraces: { value: 1000, unit: 'calls', what: 'calls whose steps are remembered after their end' },
  retriedCalls: {
    value: 20_000,
    unit: 'calls',
    what: 'newest recorded calls that `mezz policy test` decides again',
  },
  listedChanges: {
    value: 1000,
    unit: 'calls',
    what: 'whose decision would change, listed by `mezz policy test`',
  },
  faultText: {
    value: 500,
    unit: 'characters',
    what: 'why a scheduling policy was replaced, kept in an entry',
  },
  heldBytes: { value: 16_777_216, unit: 'bytes', what: 'a streamed answer that is held whole' },
  heldCalls: { value: 128, unit: 'calls', what: 'tool calls of one held answer' },
  heldTurns: {
    value: 8,
    unit: 'turns',
    what: 'answers with refused tool calls after which the client gets the refusal itself',
  },
  heldMemo: {
    value: 10_000,
    unit: 'calls',
    what: 'permitted calls remembered, so that nobody decides twice on what a hook asks again',
  },
} as const;
