/** Earliest deadline first (Liu and Layland 1973): the timeout that a client sets for its call is its deadline. */
import type { Policy } from '../policy.ts';

export const deadline: Policy<null> = {
  name: 'deadline',
  text: 'the call whose client gives up first goes first',
  fixed: true,
  start: () => null,
  event: () => null,
  key: (_state, call) => [call.deadlineAt, call.arrivedAt],
  reasons: (_state, call) => [
    Number.isFinite(call.deadlineAt)
      ? `its client gives up at ${new Date(call.deadlineAt).toISOString()}`
      : 'its client waits without end: every call with a deadline goes first',
  ],
};
