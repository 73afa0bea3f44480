/** Bounds of the tool broker. */
export const LIMITS = {
  nameCharacters: { value: 64, unit: 'characters', what: 'of a tool as agents call it' },
  lockedCalls: { value: 10_000, unit: 'calls', what: 'tool calls that may hold locks at once' },
  effects: { value: 64, unit: 'keys', what: 'keys of one call; of more, their checkout is one' },
  lockWaitMs: {
    value: 30_000,
    unit: 'ms',
    what: 'how long a tool call waits for locks before its agent is told who holds them',
  },
  holdMs: {
    value: 60_000,
    unit: 'ms',
    what: 'how long a call keeps its locks whose client never says that it has ended',
  },
  guessHoldMs: {
    value: 10_000,
    unit: 'ms',
    what: 'how long a command that mezz cannot read keeps the checkout; what it changes later is noticed',
  },
  knownKeys: { value: 20_000, unit: 'keys', what: 'keys whose version is remembered' },
  stampsPerAgent: {
    value: 5000,
    unit: 'keys',
    what: 'keys of which an agent is known to have seen a version',
  },
  discovered: {
    value: 500,
    unit: 'files',
    what: 'not committed that are looked at after a command which mezz cannot read',
  },
  beforeFiles: { value: 64, unit: 'files', what: 'whose content is kept before one call changes them' },
  beforeBytes: { value: 1_048_576, unit: 'bytes', what: 'of one file that is kept before a change' },
  beforeBytesPerCall: { value: 8_388_608, unit: 'bytes', what: 'kept before the changes of one call' },
  undoBytes: { value: 65_536, unit: 'bytes', what: 'arguments of the call that takes another back' },
  diffLines: { value: 40, unit: 'lines', what: 'of a change that a refused agent is shown' },
  diffWidth: { value: 200, unit: 'characters', what: 'of one line of a change that is shown' },
  diffCells: {
    value: 250_000,
    unit: 'pairs of lines',
    what: 'compared to find what a change left; of more, all is shown as changed',
  },
  authors: { value: 8, unit: 'versions', what: 'authors remembered of one key' },
  events: {
    value: 500,
    unit: 'events',
    what: 'refused stale writes and writes round the gate that are listed',
  },
  uses: { value: 20_000, unit: 'calls', what: 'uses of tools that the ledger holds at once' },
  usesKeptMs: {
    value: 3_600_000,
    unit: 'ms',
    what: 'how long the outcome of a use that its client named is kept for its retries',
  },
  untoldMs: {
    value: 600_000,
    unit: 'ms',
    what: 'how long an outcome that reached nobody is the answer to an equal call',
  },
  commandLength: {
    value: 65_536,
    unit: 'characters',
    what: 'a shell command that is read; a longer one is guessed',
  },
  commandDepth: { value: 4, unit: 'levels', what: 'commands inside commands (`bash -c`) that are read' },
} as const;
