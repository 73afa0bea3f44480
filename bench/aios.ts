/**
 * AIOS's workload: agents that make five calls each, one after the other, all begun at once, on a backend of 16 slots;
 * times of calls as its own measurement draws them (log-normal, about 0.5 s, at most 8 s). In virtual time: direct to a
 * backend that queues, AIOS's FIFO as specified (it looks once a second, takes all that wait, and looks again when all
 * of them have ended), and the kernel's own scheduler, that knows nothing yet or has seen such turns before.
 * And its convoy: one call of 10 s, then ten of 0.1 s.
 * Usage: node scripts/with-node.js bench/aios.ts [--seeds 5] [--json]
 */
import { History } from '../src/scheduler/history.ts';
import { POLICIES } from '../src/scheduler/policies/all.ts';
import type { Policy } from '../src/scheduler/policy.ts';
import { option, print } from './lab/report.ts';
import { programOf, programs, SLOTS } from './sched/aios.ts';
import { type Job, newJob, type Orderer, type Outcome, simulate } from './sched/engine.ts';
import { KernelOrderer, train } from './sched/kernel.ts';
import { AiosFifo, fifo, Indexed } from './sched/peers.ts';

const AGENTS = [100, 250, 500, 1000, 2000];

const kernel = (history: History): Orderer =>
  new KernelOrderer({
    ...{ policy: POLICIES.get('mezz') as Policy<unknown>, history },
    ...{ maxWaitS: 600, slots: SLOTS },
  });
/** Each arm anew for each run; what the last one has seen is of other seeds. */
const ARMS = new Map<string, () => Orderer>([
  ['direct, the backend queues', fifo],
  ['direct, agents that have begun first', () => new Indexed((job) => (job.at > 0 ? 0 : 1))],
  ['AIOS FIFO, as specified', () => new AiosFifo()],
  ['mezz, first day', () => kernel(new History())],
  ['mezz, such turns seen before', () => kernel(train(programs(1000, 99)))],
]);
const AIOS = 'AIOS FIFO, as specified';
const DIRECT = 'direct, the backend queues';

interface Figures {
  readonly makespanS: number;
  readonly meanS: number;
  readonly p95S: number;
  readonly busy: number;
}
function figuresOf({ jobs, utilisation }: Outcome): Figures {
  const took = jobs.map(({ doneS, arrivedS }) => doneS - arrivedS).sort((a, b) => a - b);
  return {
    makespanS: Math.max(...jobs.map(({ doneS }) => doneS)),
    meanS: took.reduce((sum, one) => sum + one, 0) / took.length,
    p95S: took[Math.floor(0.95 * (took.length - 1))] as number,
    busy: utilisation,
  };
}
const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, one) => sum + one, 0) / values.length;

const seeds = option('seeds', 5);
const all = AGENTS.flatMap((agents) => {
  const each = Array.from({ length: seeds }, (_, seed) => {
    const made = programs(agents, seed + 1);
    const boundS = made.reduce((sum, { serviceS }) => sum + serviceS, 0) / SLOTS;
    const run = (orderer: Orderer) => {
      const jobs: Job[] = made.map((program, id) => newJob(id, 'me', program, 0));
      return figuresOf(simulate(jobs, Number.POSITIVE_INFINITY, orderer, SLOTS));
    };
    return { boundS, figures: new Map([...ARMS].map(([name, arm]) => [name, run(arm())])) };
  });
  const of = (arm: string, key: keyof Figures) =>
    each.map(({ figures }) => figures.get(arm)?.[key] as number);
  const aios = of(AIOS, 'makespanS');
  const bound = meanOf(each.map(({ boundS }, run) => (aios[run] as number) / boundS));
  return [...ARMS.keys()].map((arm) => ({
    ...{ agents, arm, bound },
    ...{
      makespanS: meanOf(of(arm, 'makespanS')),
      meanS: meanOf(of(arm, 'meanS')),
      p95S: meanOf(of(arm, 'p95S')),
    },
    busy: meanOf(of(arm, 'busy')),
    leastTimesAios: Math.min(...of(arm, 'makespanS').map((one, run) => (aios[run] as number) / one)),
    timesAios: meanOf(of(arm, 'makespanS').map((one, run) => (aios[run] as number) / one)),
    meanOfDirect: meanOf(of(arm, 'meanS')) / meanOf(of(DIRECT, 'meanS')),
  }));
});

const convoy = [...ARMS].map(([arm, make]) => {
  const short = Array.from({ length: 10 }, (_, n) => newJob(n + 1, 'me', programOf([0.1]), 1.3 + n / 2));
  const jobs = [newJob(0, 'me', programOf([10]), 0), ...short];
  const done = simulate(jobs, Number.POSITIVE_INFINITY, make(), SLOTS).jobs.slice(1);
  return { arm, shortS: meanOf(done.map(({ doneS, arrivedS }) => doneS - arrivedS)) };
});

print({ seeds, rows: all, convoy }, [
  ['agents', 'arm', 'makespan s', 'busy', 'x AIOS', 'least', 'bound', 'mean s', 'p95 s', 'mean / direct'],
  ...all.map((row) => [
    String(row.agents),
    row.arm,
    row.makespanS.toFixed(1),
    row.busy.toFixed(2),
    row.timesAios.toFixed(2),
    row.leastTimesAios.toFixed(2),
    row.bound.toFixed(2),
    row.meanS.toFixed(1),
    row.p95S.toFixed(1),
    row.meanOfDirect.toFixed(2),
  ]),
  [],
  ['convoy', 'arm', 'a call of 0.1 s takes, s'],
  ...convoy.map(({ arm, shortS }) => ['', arm, shortS.toFixed(2)]),
]);
