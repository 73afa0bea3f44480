/** Bounds of the store. */
export const LIMITS = {
  queuedBatches: {
    value: 65_536,
    unit: 'batches',
    what: 'may wait for the writer; one more is a failed store, as the disk has stopped keeping up',
  },
  batchesPerCommit: { value: 1_024, unit: 'batches', what: 'share one write to the disk at most' },
  redoHalfBytes: {
    value: 1_048_576,
    unit: 'bytes',
    what: 'each half of the redo log holds; a larger batch goes to the database at once',
  },
  applyAfterMs: {
    value: 250,
    unit: 'ms',
    what: 'a batch that is on disk lies in the redo log alone, if nobody reads what it wrote',
  },
  waitedForMs: {
    value: 2,
    unit: 'ms',
    what: 'the write before took at most, where the kernel waits for one of a call that is alone instead of asking a thread',
  },
  acknowledgedAtOnce: {
    value: 64,
    unit: 'batches',
    what: 'are told in one turn of the event loop that they are durable',
  },
  writerCacheBytes: {
    value: 16_777_216,
    unit: 'bytes',
    what: 'of the database the writer keeps in memory: what one transaction changes, and the ways to it',
  },
  busyWaitMs: { value: 5_000, unit: 'ms', what: 'a connection waits for another one of the same kernel' },
  walBytes: { value: 67_108_864, unit: 'bytes', what: 'the write-ahead log keeps after a checkpoint' },
  checkpointPages: {
    value: 4_000,
    unit: 'pages',
    what: 'of 4 kB gather in the log before they are written to the database: a page changed often is written there once',
  },
  checkedBlobs: { value: 256, unit: 'blobs', what: 'whose content `check` compares with their hash' },
  checkProblems: { value: 20, unit: 'messages', what: '`check` reports of one kind' },
  prunedBlobs: { value: 500, unit: 'blobs', what: 'that retention deletes in one transaction' },
  listedBlobs: { value: 20_000, unit: 'blobs', what: 'that retention lists at once' },
  shrunkPages: { value: 2_000, unit: 'pages', what: 'given back to the file system between two commits' },
  shrinkTries: {
    value: 50,
    unit: 'times',
    what: 'emptying the write-ahead log is tried while others read it',
  },
} as const;
