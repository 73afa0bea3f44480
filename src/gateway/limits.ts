export const LIMITS = {
  bodyBytes: { value: 67_108_864, unit: 'bytes', what: 'a request body as it arrives' },
  headerBytes: { value: 65_536, unit: 'bytes', what: 'all headers of one request' },
  requestMs: { value: 120_000, unit: 'ms', what: 'time for a whole request to arrive' },
  headersMs: { value: 20_000, unit: 'ms', what: 'time for the headers of a request to arrive' },
  hookBytes: { value: 16_777_216, unit: 'bytes', what: 'one hook message' },
  lossHeader: { value: 1024, unit: 'characters', what: 'the header that names what a translation lost' },
  connections: { value: 10_000, unit: 'connections', what: 'connections from agents at once' },
} as const;
