/**
 * How far the simulator of agent-sched.ts is off: the same programs through the real kernel, over loopback and in scaled
 * time, against the same engine. The kernel's own time a call is measured on the way and added to what the
 * simulator's calls take, as it is stretched with all else. Nothing is trained; both learn as they go. Programs that take more than 15
 * minutes alone are left out, so that a run ends.
 * Usage: node scripts/with-node.js bench/kernel-sched.ts [--programs 120] [--scale 12] [--json]
 */
import { seededRandom } from '../src/base/random.ts';
import { ENGINE } from '../src/scheduler/cost.ts';
import { History } from '../src/scheduler/history.ts';
import { POLICIES } from '../src/scheduler/policies/all.ts';
import type { Policy } from '../src/scheduler/policy.ts';
import { note, option, print, spread } from './lab/report.ts';
import { type Job, newJob, SLOTS, simulate } from './sched/engine.ts';
import { KernelOrderer } from './sched/kernel.ts';
import { Live } from './sched/live.ts';
import { readTrace } from './sched/trace.ts';

const CACHE = 1e6;
const LOAD = 0.6;
const LONGEST_S = 900;
const AGENTS = 60;

const count = option('programs', 120);
const scale = option('scale', 12);
const programs = readTrace().test.filter(
  ({ aloneS, steps }) => aloneS <= LONGEST_S && steps.every(({ input, output }) => input + output < CACHE),
);

function jobsOf(seed: number): Job[] {
  const random = seededRandom(seed);
  const meanS = programs.reduce((sum, { serviceS }) => sum + serviceS, 0) / programs.length;
  let arrivedS = 0;
  return Array.from({ length: count }, (_, id) => {
    arrivedS += (-Math.log(1 - random.unit()) * meanS) / (LOAD * SLOTS);
    const program = programs[Math.floor(random.unit() * programs.length)];
    if (!program) throw new Error('the trace is empty');
    return newJob(id, 'me', program, arrivedS);
  });
}

interface Figures {
  readonly takesS: number;
  readonly waitS: number;
  readonly p50: number;
  readonly p95: number;
  readonly recomputed: number;
  readonly lastsS: number;
  readonly utilisation: number;
}

function figuresOf(jobs: readonly Job[], recomputed: number, busyS: number): Figures {
  const takes = jobs.map(({ doneS, arrivedS }) => doneS - arrivedS);
  const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const slowdowns = jobs.map((job, at) => (takes[at] as number) / job.program.aloneS).sort((a, b) => a - b);
  const at = (share: number) => slowdowns[Math.floor(share * (slowdowns.length - 1))] as number;
  const lastsS = Math.max(...jobs.map(({ doneS }) => doneS));
  return {
    takesS: mean(takes),
    waitS: mean(jobs.map((job, i) => (takes[i] as number) - job.program.aloneS)),
    p50: at(0.5),
    p95: at(0.95),
    recomputed: recomputed / jobs.length,
    lastsS,
    utilisation: busyS / (lastsS * SLOTS),
  };
}

/** The same jobs, whose calls each hold their slot so much longer. */
const slower = (jobs: readonly Job[], byS: number): Job[] =>
  jobs.map(({ id, tenant, program, arrivedS }) => {
    const steps = program.steps.map((step) => ({ ...step, serviceS: step.serviceS + byS }));
    return newJob(id, tenant, { ...program, steps }, arrivedS);
  });

function simulated(name: string, jobs: readonly Job[]): Figures {
  const policy = POLICIES.get(name) as Policy<unknown>;
  const options = {
    policy,
    history: new History(),
    maxWaitS: 600,
    cacheTokens: 'learned',
    terms: ENGINE,
  } as const;
  const { recomputed, utilisation } = simulate(jobs, CACHE, new KernelOrderer(options));
  const lastsS = Math.max(...jobs.map(({ doneS }) => doneS));
  return figuresOf(jobs, recomputed * jobs.length, utilisation * lastsS * SLOTS);
}

async function real(name: string, jobs: readonly Job[]): Promise<{ figures: Figures; overheadS: number }> {
  const hired = Array.from({ length: AGENTS }, (_, i) => ({ name: `a${i}`, nice: 0, owner: 'me' }));
  const more = `scheduling: { policy: ${name}, queue: 10000 }`;
  const live = await Live.open({ scale, cacheTokens: CACHE, slots: SLOTS, hired, more });
  try {
    await live.warm();
    const before = { ...live.figures };
    live.begin();
    await Promise.all(
      jobs.map(async (job) => {
        await live.sleep(job.arrivedS);
        await live.play(job, job.id % AGENTS);
      }),
    );
    const { recomputed, busyS } = live.figures;
    return {
      figures: figuresOf(jobs, recomputed - before.recomputed, busyS - before.busyS),
      overheadS: live.overheadS,
    };
  } finally {
    await live.close();
  }
}

/** Calls that took a little more or less: a queue near its limit answers that with figures of its own. */
const AROUND = [0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2];

const rows = [];
for (const policy of ['fifo', 'mezz']) {
  const { figures, overheadS } = await real(policy, jobsOf(1));
  const runs = AROUND.map((share) => simulated(policy, slower(jobsOf(1), share * overheadS)));
  rows.push({ policy, overheadS, runs, real: figures });
  note(`${policy}: ${((1000 * overheadS) / scale).toFixed(1)} ms a call beside the engine's`);
}
const KEYS = ['takesS', 'waitS', 'p50', 'p95', 'recomputed', 'lastsS', 'utilisation'] as const;
print({ programs: count, scale, rows }, [
  ['policy', 'figure', 'simulated, with 0.8 to 1.2 of it', 'real kernel', 'error'],
  ...rows.flatMap(({ policy, runs, real: live }) =>
    KEYS.map((key) => {
      const { min, median, max } = spread(runs.map((run) => run[key]));
      const text = (value: number) => value.toFixed(value > 100 ? 0 : 2);
      const error = `${(100 * (median / live[key] - 1)).toFixed(1)} %`;
      return [policy, key, `${text(median)} (${text(min)}-${text(max)})`, text(live[key]), error];
    }),
  ),
]);
