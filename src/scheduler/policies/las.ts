/** Least attained service per turn (Nuyens and Wierman 2008; for agents' programs: Autellix, 2025). */
import { Attained } from '../attained.ts';
import type { Policy } from '../policy.ts';

export const las: Policy<Attained> = {
  name: 'las',
  text: 'the turn that was served least, its next call included where its size is known, goes first',
  start: (config) => new Attained(config),
  event: (attained, event) => {
    attained.event(event);
    return attained;
  },
  key: (attained, call) => [attained.of(call) + attained.nextOf(call), call.arrivedAt],
  reasons: (attained, call) => [`its turn has had ${Math.round(attained.of(call))} virtual tokens so far`],
};
