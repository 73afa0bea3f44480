export const LIMITS = {
  depth: { value: 128, unit: 'levels', what: 'nesting of a request body' },
  messages: { value: 100_000, unit: 'elements', what: 'elements of messages or input' },
  eventBytes: {
    value: 8_388_608,
    unit: 'bytes',
    what: 'one event of a stream that is held until it is whole',
  },
  intentBytes: {
    value: 1_048_576,
    unit: 'bytes',
    what: 'arguments of one tool call remembered from a stream',
  },
  intents: { value: 256, unit: 'calls', what: 'tool calls remembered from one answer' },
  openBlocks: { value: 64, unit: 'blocks', what: 'content blocks of one answer open at the same time' },
  objects: { value: 1024, unit: 'ids', what: 'upstream objects remembered from one answer' },
  defaultMaxTokens: {
    value: 8192,
    unit: 'tokens',
    what: 'output bound of a request translated to Messages, which needs one, when its client set none',
  },
  knownTools: { value: 32, unit: 'lists', what: 'lists of tools whose meaning is remembered, per dialect' },
  knownToolsBytes: { value: 262_144, unit: 'bytes', what: 'a list of tools whose meaning is remembered' },
  bodyBytes: { value: 67_108_864, unit: 'bytes', what: 'a request body after decompression' },
} as const;
