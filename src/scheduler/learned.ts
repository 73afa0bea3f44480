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

/**
 * Where a call stands in the default order. Under a rate limit, where it is known what the next call will take of it: by
 * the service of the turn with that call, since one large prompt would keep a whole line waiting (least attained service;
 * on real sessions its slowdown is half of that of the expectation). Elsewhere by what the turn is expected to need.
 */
export const standing = (state: Learned, call: PolicyCall): number =>
  call.freshTokens === undefined ? expected(state, call) : withNext(state, call);

const withNext = ({ attained }: Learned, call: PolicyCall): number =>
  attained.of(call) + attained.nextOf(call) - savedBy(attained, call);

/** A cached prefix that expires is a deadline, where meeting it saves more than the call takes from those it passes. */
function savedBy(attained: Attained, call: PolicyCall): number {
  const saved = attained.savedBy(call);
  return saved > attained.nextOf(call) ? saved : 0;
}

export function standingReason(state: Learned, call: PolicyCall): string[] {
  if (call.freshTokens === undefined) return remainingReason(state, call);
  const had = Math.round(state.attained.of(call));
  const next = Math.round(state.attained.nextOf(call));
  const saved = Math.round(savedBy(state.attained, call));
  return [
    `its turn had ${had} virtual tokens and this call takes about ${next}; the least sum goes first`,
    ...(saved > 0 ? [`its cached prefix expires soon: served before, it saves ${saved} virtual tokens`] : []),
  ];
}

/**
 * Virtual tokens that the turn of this call is expected to need still, reloading its cache included: what the call itself
 * is known to need, and the mean residual life beyond it.
 */
export function expected(state: Learned, call: PolicyCall): number {
  return stillOf(state, call) + state.reload * state.attained.reloadOf(call);
}

function stillOf({ attained, history }: Learned, call: PolicyCall): number {
  const next = attained.nextOf(call);
  return next + history.remaining(call.image, attained.of(call) + next);
}

export function remainingReason(state: Learned, call: PolicyCall): string[] {
  const { attained, history, reload } = state;
  const had = attained.of(call);
  const needs = Math.round(stillOf(state, call));
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
