/** What policies share that expect how much a turn still needs. */
import { Attained } from './attained.ts';
import type { ServiceTable } from './history.ts';
import type { Policy, PolicyCall } from './policy.ts';

export interface Learned {
  readonly attained: Attained;
  history: ServiceTable;
  /** How much the cost of reloading counts. */
  reload: number;
}

export const learned: Pick<Policy<Learned>, 'start' | 'event'> = {
  start: (config) => ({
    attained: new Attained(config),
    history: config.history,
    reload: config.tuning.reload,
  }),
  event: (state, event) => {
    state.attained.event(event);
    if (event.kind !== 'tuned') return state;
    state.history = event.config.history;
    state.reload = event.config.tuning.reload;
    return state;
  },
};

/** Virtual tokens that the turn of this call is expected to need still, reloading its cache included. */
export function expected({ attained, history, reload }: Learned, call: PolicyCall): number {
  return history.remaining(call.image, attained.of(call)) + reload * attained.reloadOf(call);
}

export function remainingReason({ attained, history, reload }: Learned, call: PolicyCall): string[] {
  const had = attained.of(call);
  const needs = Math.round(history.remaining(call.image, had));
  const samples = history.samples(call.image);
  const basis = samples === 0 ? 'as nothing is known of its kind yet' : `by ${samples} turns of its kind`;
  const cost = Math.round(attained.reloadOf(call));
  return [
    `its turn had ${Math.round(had)} virtual tokens and is expected to need ${needs} more, ${basis}`,
    ...(cost > 0
      ? [`its cached prefix is gone: ${cost} virtual tokens to compute it again (x${reload})`]
      : []),
  ];
}
