import { type Condition, type Evidence, lacks, shows } from './condition.ts';
import type { Crowd, Shown, Subject } from './subject.ts';

const show = ({ saw, lost, lostAlone, calls }: Shown): Evidence =>
  lostAlone > 0
    ? shows(lost === 0, saw, ...calls)
    : { verdict: 'cannot tell', saw: `${saw}: this time nothing was lost without it either`, calls };

const tried =
  (what: keyof Crowd) =>
  async ({ crowd }: Subject): Promise<Evidence> =>
    crowd ? show(await crowd[what]()) : lacks('agents on one machine to start', '');

/** `mezz demo clobber`, part by part: what is lost without, and with. */
export const CROWD: readonly Condition[] = [
  {
    id: '3d',
    text: 'coding agents at once in one checkout lose no commit, line or change',
    experiment: tried('checkout'),
  },
  { id: '3e', text: 'nor do agents at the official memory server', experiment: tried('memory') },
  { id: '3f', text: 'nor at the official filesystem server', experiment: tried('filesystem') },
];
