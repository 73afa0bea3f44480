/** First come, first served. Never fails: the scheduler falls back to it. */
import type { Policy } from '../policy.ts';

export const fifo: Policy<null> = {
  name: 'fifo',
  text: 'first come, first served',
  fixed: true,
  start: () => null,
  event: () => null,
  key: (_state, call) => [call.arrivedAt],
  reasons: () => ['first come, first served'],
};
