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
