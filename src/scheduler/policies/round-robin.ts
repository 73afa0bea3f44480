/** Round-robin over agents: the agent that was served longest ago is next, whatever its calls cost. */
import { Recent } from '../../base/recent.ts';
import { LIMITS } from '../limits.ts';
import type { Policy } from '../policy.ts';

interface State {
  round: number;
  /** When each agent was served last, in rounds. */
  readonly served: Recent<number, number>;
}

export const roundRobin: Policy<State> = {
  name: 'round-robin',
  text: 'one call of each agent in turn',
  shared: { by: 'agent', parts: 1 },
  start: () => ({ round: 0, served: new Recent(LIMITS.owners.value) }),
  event: (state, event) => {
    if (event.kind !== 'started') return state;
    const { round, served } = state;
    served.set(event.call.agent, round + 1);
    state.round = round + 1;
    return state;
  },
  key: ({ served }, call) => [served.get(call.agent) ?? 0, call.arrivedAt],
  reasons: ({ round, served }, call) => {
    const last = served.get(call.agent);
    return [
      last === undefined
        ? 'its agent has not been served yet'
        : `${round - last} calls of others were served since its agent was`,
    ];
  },
};
