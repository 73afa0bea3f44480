/** Strict priority by nice value, then first come, first served. The scheduler's maximum wait is what ends starvation. */
import type { Policy } from '../policy.ts';

export const priority: Policy<null> = {
  name: 'priority',
  text: 'strict priority by nice value, then first come, first served',
  fixed: true,
  byClass: true,
  start: () => null,
  event: () => null,
  key: (_state, call) => [call.nice, call.arrivedAt],
  reasons: (_state, call) => [`nice ${call.nice}; smaller values go first`],
};
