/** Every policy that comes with mezz, by name. */
import type { Policy } from '../policy.ts';
import { deadline } from './deadline.ts';
import { fair } from './fair.ts';
import { fifo } from './fifo.ts';
import { gittins } from './gittins.ts';
import { las } from './las.ts';
import { mezz } from './mezz.ts';
import { priority } from './priority.ts';
import { remaining } from './remaining.ts';
import { roundRobin } from './round-robin.ts';

const ALL = [mezz, fifo, roundRobin, priority, deadline, fair, las, gittins, remaining];

export const POLICIES: ReadonlyMap<string, Policy<unknown>> = new Map(
  ALL.map((policy) => [policy.name, policy as Policy<unknown>]),
);
