/** The workload of AIOS's own measurement: turns of five calls, their times log-normal, about 0.5 s, at most 8 s. */
import { type Random, seededRandom } from '../../src/base/random.ts';
import { DECODE, type Program } from './trace.ts';

export const SLOTS = 16;
const CALLS = 5;
const LONGEST_S = 8;

/** Box and Muller 1958. */
const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
const callS = (random: Random): number => Math.min(LONGEST_S, Math.exp(normal(random) - 1.2));

export function programOf(seconds: readonly number[]): Program {
  const steps = seconds.map((serviceS) => ({
    ...{ input: 0, fresh: 0, gapS: 0 },
    ...{ output: serviceS * DECODE, serviceS },
  }));
  const serviceS = seconds.reduce((sum, one) => sum + one, 0);
  return { steps, serviceS, aloneS: serviceS };
}
export function programs(count: number, seed: number): Program[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => programOf(Array.from({ length: CALLS }, () => callS(random))));
}
