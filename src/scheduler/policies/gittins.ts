/** The empirical Gittins index: the turn with the best chance to end soon, by what turns of its kind needed before. */
import { type Learned, learned } from '../learned.ts';
import type { Policy } from '../policy.ts';

export const gittins: Policy<Learned> = {
  name: 'gittins',
  text: 'the turn with the best chance to end per token of service goes first',
  ...learned,
  key: ({ attained, history }, call) => [-history.index(call.image, attained.of(call)), call.arrivedAt],
  reasons: ({ attained, history }, call) => {
    const chance = 100 * (1 - (1 - history.index(call.image, attained.of(call))) ** 1000);
    return [
      `its turn ends within 1000 virtual tokens with about ${chance.toFixed(0)} % chance, by ${history.samples(call.image)} turns of its kind`,
    ];
  },
};
