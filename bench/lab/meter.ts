/**
 * Answers how much CPU and memory this process has used, all of its threads included, when its parent asks. Loaded
 * into every process that is measured, so that all are measured in one way on every platform.
 */
export interface Reading {
  /** User and system time of the whole process since its start, µs. */
  readonly cpuUs: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
}

process.on('message', (message: unknown) => {
  if (message !== 'read') return;
  // With --expose-gc, what is kept is told from what is merely not collected yet.
  (globalThis as { gc?: () => void }).gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const reading: Reading = { cpuUs: user + system, rssBytes: rss, heapBytes: heapUsed };
  process.send?.({ reading });
});

// A process ends with its parent; one that has something to close listens itself.
process.once('disconnect', () => {
  if (process.listenerCount('disconnect') === 0) process.exit(0);
});
