/**
 * Shortest expected remaining service first, learned from finished turns, and the cost of reloading what the cache lost:
 * a turn that is nearly done and still warm goes first.
 */
import { expected, type Learned, learned, remainingReason } from '../learned.ts';
import type { Policy } from '../policy.ts';

export const remaining: Policy<Learned> = {
  name: 'remaining',
  text: 'the turn that is expected to need least, reloading its cache included, goes first',
  ...learned,
  key: (state, call) => [expected(state, call), call.arrivedAt],
  reasons: (state, call) => remainingReason(state, call),
};
