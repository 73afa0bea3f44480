export const LIMITS = {
  reserveName: { value: 200, unit: 'characters', what: 'of a reservation, as its entry names it' },
  listedRates: { value: 200, unit: 'limits', what: 'rate limits in one listing' },
  forecastNames: {
    value: 4,
    unit: 'agents',
    what: 'named as those who would wait first when a plan window is full',
  },
  bodyBytes: { value: 67_108_864, unit: 'bytes', what: 'a request body as it arrives' },
  heldBytes: { value: 536_870_912, unit: 'bytes', what: 'all request bodies in memory together' },
  lingerBytes: {
    value: 268_435_456,
    unit: 'bytes',
    what: 'read and forgotten of a body that was refused as too large',
  },
  headerBytes: { value: 65_536, unit: 'bytes', what: 'all headers of one request' },
  requestMs: { value: 120_000, unit: 'ms', what: 'time for a whole request to arrive' },
  headersMs: { value: 20_000, unit: 'ms', what: 'time for the headers of a request to arrive' },
  slowCheckMs: { value: 5000, unit: 'ms', what: 'time between two looks for clients that are too slow' },
  keepAliveMs: { value: 65_000, unit: 'ms', what: 'time a connection stays open without a request' },
  hookBytes: { value: 16_777_216, unit: 'bytes', what: 'one hook message' },
  useCharacters: { value: 256, unit: 'characters', what: "of a client's own name for a use of a tool" },
  pageItems: { value: 1000, unit: 'items', what: 'of a list of MCP in one answer' },
  batchMessages: { value: 100, unit: 'messages', what: 'of MCP in one batch' },
  sessions: {
    value: 1000,
    unit: 'sessions',
    what: 'of MCP that are open at once; the one idle longest gives way',
  },
  streams: { value: 1000, unit: 'streams', what: 'of MCP that stay open for what servers say unasked' },
  toldBytes: {
    value: 8_388_608,
    unit: 'bytes',
    what: 'told to an MCP client that it has not read yet; more of notifications is left out',
  },
  watchedUris: { value: 1000, unit: 'resources', what: 'that one MCP client watches' },
  taskPollMs: { value: 2000, unit: 'ms', what: 'between two looks of a client at its task' },
  suspendedMs: { value: 120_000, unit: 'ms', what: 'for an MCP client to answer what a tool server asks it' },
  suspendedCalls: { value: 1000, unit: 'calls', what: 'that wait for what their MCP clients are asked' },
  lossHeader: { value: 1024, unit: 'characters', what: 'the header that names what a translation lost' },
  connections: { value: 10_000, unit: 'connections', what: 'connections from agents at once' },
  listedWaits: { value: 50, unit: 'calls', what: 'that wait and are listed by mezz sched' },
  whatifMs: {
    value: 86_400_000,
    unit: 'ms',
    what: 'of calls that mezz whatif replays unless told otherwise',
  },
  whatifCalls: { value: 10_000, unit: 'calls', what: 'that mezz whatif replays, the latest' },
  whatifPolicies: { value: 5, unit: 'policies', what: 'that one mezz whatif asks about' },
  ganttMs: { value: 3_600_000, unit: 'ms', what: 'that mezz sched gantt shows unless told otherwise' },
  ganttSpans: { value: 2_000, unit: 'calls', what: 'that mezz sched gantt shows, the latest' },
  flushMs: {
    value: 2000,
    unit: 'ms',
    what: 'for answers to leave after their calls have ended, when the kernel ends',
  },
  sheetCalls: {
    value: 5000,
    unit: 'calls',
    what: 'of the last hour that mezz top adds up; of more, the newest',
  },
  sheetLookUps: {
    value: 100,
    unit: 'agents',
    what: 'without a call in the last hour whose context mezz top looks up',
  },
  sheetRequests: { value: 5, unit: 'calls', what: 'the last of an agent; the fullest is its context' },
  seenAgents: { value: 20, unit: 'agents', what: 'the last of a client whose first requests are looked at' },
  seenLeast: {
    value: 3,
    unit: 'agents',
    what: 'of a client, before what they sent is taken for what it sends',
  },
  sheetLast: { value: 50, unit: 'calls', what: 'the last of an agent among which mezz pmap finds those' },
  sheetPieces: { value: 10, unit: 'pieces', what: 'the largest that mezz pmap names one by one' },
  quietMs: {
    value: 30_000,
    unit: 'ms',
    what: 'after which the client of a stream whose call waits gets its headers and heartbeats',
  },
  toldText: {
    value: 500,
    unit: 'characters',
    what: "of an upstream's error told inside a stream that was begun with heartbeats",
  },
  heartbeatMs: { value: 15_000, unit: 'ms', what: 'between two heartbeats to such a client' },
  joinedBytes: {
    value: 12_288,
    unit: 'bytes',
    what: 'of a whole answer that leaves in one write with its head',
  },
  flushLookMs: { value: 5, unit: 'ms', what: 'between two looks whether they have left' },
} as const;

/** How long a client may take to say what it wants, and how long it is left without a word. */
export interface Patience {
  readonly headersMs: number;
  readonly requestMs: number;
  readonly slowCheckMs: number;
  readonly quietMs: number;
  readonly heartbeatMs: number;
}

export const PATIENCE: Patience = {
  headersMs: LIMITS.headersMs.value,
  requestMs: LIMITS.requestMs.value,
  slowCheckMs: LIMITS.slowCheckMs.value,
  quietMs: LIMITS.quietMs.value,
  heartbeatMs: LIMITS.heartbeatMs.value,
};
