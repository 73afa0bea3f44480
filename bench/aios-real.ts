/**
 * AIOS's workload as in aios.ts, through sockets and the real kernel: agents that make five calls each, all begun at once,
 * on a backend of 16 slots, with the same times of calls. Direct to a backend that queues; through mezz on its first day;
 * and through the same mezz once it has seen such turns.
 * Usage: node scripts/with-node.js bench/aios-real.ts [--agents 100] [--seeds 2] [--scale 1] [--json]
 */
import { note, option, print } from './lab/report.ts';
import { programs, SLOTS } from './sched/aios.ts';
import { newJob } from './sched/engine.ts';
import { Live, type LiveOptions } from './sched/live.ts';

const agents = option('agents', 100);
const seeds = option('seeds', 2);
const scale = option('scale', 1);
/** Days before the one that is measured: their turns are what mezz has seen. */
const DAYS_BEFORE = 1;

interface Figures {
  readonly makespanS: number;
  readonly meanS: number;
  readonly p95S: number;
  readonly busy: number;
}

let id = 0;
async function day(live: Live, seed: number): Promise<Figures> {
  const jobs = programs(agents, seed).map((program) => newJob(id++, 'me', program, 0));
  const before = live.figures.busyS;
  live.begin();
  await Promise.all(jobs.map((job, who) => live.play(job, who)));
  const took = jobs.map(({ doneS }) => doneS).sort((a, b) => a - b);
  const makespanS = took.at(-1) as number;
  return {
    makespanS,
    meanS: took.reduce((sum, one) => sum + one, 0) / took.length,
    p95S: took[Math.floor(0.95 * (took.length - 1))] as number,
    busy: (live.figures.busyS - before) / (makespanS * SLOTS),
  };
}

async function arm(options: Partial<LiveOptions>, seed: number): Promise<Figures[]> {
  const hired = Array.from({ length: agents }, (_, i) => ({ name: `a${i}`, nice: 0, owner: 'me' }));
  const live = await Live.open({
    scale,
    cacheTokens: Number.POSITIVE_INFINITY,
    slots: SLOTS,
    hired,
    ...options,
  });
  try {
    await live.warm();
    if (options.isDirect) return [await day(live, seed)];
    const first = await day(live, seed);
    for (let n = 1; n <= DAYS_BEFORE; n++) await day(live, 1000 * n + seed);
    return [first, await day(live, seed)];
  } finally {
    await live.close();
  }
}

const runs = [];
for (let seed = 1; seed <= seeds; seed++) {
  const [direct] = await arm({ isDirect: true }, seed);
  const [first, later] = await arm({ more: 'scheduling: { queue: 10000 }' }, seed);
  runs.push({ seed, direct, first, later });
  note(`seed ${seed}: done`);
}
print({ agents, scale, runs }, [
  ['seed', 'arm', 'makespan s', 'busy', 'mean turnaround s', 'p95 s', 'mean / direct'],
  ...runs.flatMap(({ seed, direct, first, later }) =>
    (
      [
        ['direct, the backend queues', direct],
        ['mezz, first day', first],
        ['mezz, such turns seen before', later],
      ] as const
    ).map(([name, figures]) => [
      String(seed),
      name,
      ...(['makespanS', 'busy', 'meanS', 'p95S'] as const).map((key) => (figures?.[key] ?? 0).toFixed(2)),
      ((figures?.meanS ?? 0) / (direct?.meanS ?? 1)).toFixed(2),
    ]),
  ),
]);
