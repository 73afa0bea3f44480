/**
 * The default: class (the nice value), then the fair share of the owner, then the turn that is expected to need least,
 * reloading its cache included; under a rate limit the turn that will have had least of it. What it makes wait too long the host's maximum wait lets through.
 */
import { type Learned, learned, standing, standingReason } from '../learned.ts';
import type { Policy } from '../policy.ts';
import { Shares } from '../shares.ts';
import { shareReason } from './fair.ts';

interface State {
  readonly shares: Shares;
  readonly turns: Learned;
}

export const mezz: Policy<State> = {
  name: 'mezz',
  text: 'nice value, then fair share of the owner, then the turn expected to need least',
  byClass: true,
  shared: { by: 'owner', parts: 2 },
  start: (config) => ({ shares: new Shares(config), turns: learned.start(config) }),
  event: (state, event) => {
    state.shares.event(event);
    learned.event(state.turns, event);
    return state;
  },
  key: ({ shares, turns }, call) => [call.nice, shares.of(call), standing(turns, call), call.arrivedAt],
  reasons: ({ shares, turns }, call) => [
    `nice ${call.nice}; smaller values go first`,
    shareReason(shares, call),
    ...standingReason(turns, call),
  ],
};
