export const LIMITS = {
  answerBytes: {
    value: 67_108_864,
    unit: 'bytes',
    what: 'an answer that is not streamed and is held until END is durable',
  },
  decodedBytes: {
    value: 67_108_864,
    unit: 'bytes',
    what: 'a compressed stream after its decoding on a copy, all of it',
  },
  connections: { value: 1024, unit: 'connections', what: 'connections to one upstream origin' },
  readerMs: { value: 600_000, unit: 'ms', what: 'time a client may leave an answer unread' },
  connectMs: { value: 15_000, unit: 'ms', what: 'time to connect to an upstream' },
  labBodyBytes: { value: 67_108_864, unit: 'bytes', what: 'a request to the lab' },
  engineGrammarCharacters: {
    value: 262_144,
    unit: 'characters',
    what: "the grammar of one request's tools or format",
  },
  engineRepetitions: {
    value: 1000,
    unit: 'characters or items',
    what: "what the engine's grammar writes where a schema allows more",
  },
  engineTopK: { value: 40, unit: 'tokens', what: 'likeliest tokens the engine chooses from by default' },
  engineModels: { value: 2, unit: 'models', what: 'models the engine holds in memory at once' },
  engineIdleMs: {
    value: 900_000,
    unit: 'ms',
    what: 'time after which a model that nobody asks leaves memory',
  },
  engineOpenMs: { value: 300_000, unit: 'ms', what: 'time the engine may take to load a model' },
  engineFirstPauseMs: { value: 1000, unit: 'ms', what: 'pause after the engine died, doubled each time' },
  engineLongestPauseMs: { value: 60_000, unit: 'ms', what: 'the longest pause after the engine died' },
  engineLastWordsCharacters: {
    value: 2000,
    unit: 'characters',
    what: "the end of the engine's error output, told when it dies",
  },
  engineInputs: { value: 2048, unit: 'texts', what: 'texts of one request for embeddings' },
  ggufHeadBytes: {
    value: 33_554_432,
    unit: 'bytes',
    what: 'the head of a model file that is read for its facts',
  },
  killGraceMs: {
    value: 5000,
    unit: 'ms',
    what: 'time between SIGTERM and SIGKILL for the program of a killed agent',
  },
  logFileBytes: { value: 8_388_608, unit: 'bytes', what: 'size of the log before it becomes the old log' },
  lowDiskBytes: {
    value: 1_000_000_000,
    unit: 'bytes',
    what: 'free on the disk below which status and doctor warn',
  },
  fullDiskBytes: {
    value: 64_000_000,
    unit: 'bytes',
    what: 'free on the disk below which new calls are refused',
  },
  diskLookMs: { value: 1000, unit: 'ms', what: 'between two looks at the free space' },
} as const;
