/**
 * agent-sched-bench: real coding sessions against one engine with a cache, in virtual time; the order of calls is the
 * kernel's own scheduler with its own policies, or a peer's. Policies that learn do so from one half of the sessions;
 * the programs that run are of the other. Reported per program: wait (beyond what it takes alone on a warm engine) and
 * slowdown. Means over seeds.
 * Usage: node scripts/with-node.js bench/agent-sched.ts [--seeds 3] [--programs 1500] [--json]
 */
import { seededRandom } from '../src/base/random.ts';
import type { History } from '../src/scheduler/history.ts';
import { POLICIES } from '../src/scheduler/policies/all.ts';
import type { Policy } from '../src/scheduler/policy.ts';
import { note, option, print } from './lab/report.ts';
import { type Job, newJob, type Orderer, type Outcome, SLOTS, simulate } from './sched/engine.ts';
import { flood } from './sched/flood.ts';
import { KernelOrderer, train } from './sched/kernel.ts';
import * as peers from './sched/peers.ts';
import { simulateShared } from './sched/shared.ts';
import { type Program, readTrace } from './sched/trace.ts';

interface Regime {
  readonly name: string;
  readonly cacheTokens: number;
  readonly load: number;
}
const REGIMES: readonly Regime[] = [
  { name: 'light: K=3M, load .2', cacheTokens: 3e6, load: 0.2 },
  { name: 'K=3M, load .6', cacheTokens: 3e6, load: 0.6 },
  { name: 'K=1.5M, load .6', cacheTokens: 1.5e6, load: 0.6 },
  { name: 'K=1.5M, load .4', cacheTokens: 1.5e6, load: 0.4 },
  { name: 'K=0.9M, load .6', cacheTokens: 0.9e6, load: 0.6 },
];
/** As mezz has it by default. */
const MAX_WAIT_S = 600;

function jobsOf(programs: readonly Program[], { load }: Regime, count: number, seed: number): Job[] {
  const random = seededRandom(seed);
  const meanS = programs.reduce((sum, { serviceS }) => sum + serviceS, 0) / programs.length;
  let arrivedS = 0;
  return Array.from({ length: count }, (_, id) => {
    arrivedS += (-Math.log(1 - random.unit()) * meanS) / (load * SLOTS);
    const program = programs[Math.floor(random.unit() * programs.length)] as Program;
    return newJob(id, 'me', program, arrivedS);
  });
}

type Contender = (jobs: readonly Job[], regime: Regime) => Outcome;

function contenders(history: History): ReadonlyMap<string, Contender> {
  const by =
    (orderer: () => Orderer): Contender =>
    (jobs, { cacheTokens }) =>
      simulate(jobs, cacheTokens, orderer());
  const kernel =
    (name: string, cache: 'unknown' | 'set' | 'learned' = 'unknown', maxWaitS = MAX_WAIT_S): Contender =>
    (jobs, { cacheTokens }) => {
      const policy = POLICIES.get(name) as Policy<unknown>;
      const told = { unknown: {}, set: { cacheTokens }, learned: { cacheTokens: 'learned' } as const };
      return simulate(jobs, cacheTokens, new KernelOrderer({ policy, history, maxWaitS, ...told[cache] }));
    };
  return new Map<string, Contender>([
    ['no kernel', (jobs, { cacheTokens }) => simulateShared(jobs, cacheTokens)],
    ['FIFO', by(peers.fifo)],
    ['AIOS FIFO, as specified', by(() => new peers.AiosFifo())],
    ['AIOS RR, as specified', by(() => new peers.AiosRoundRobin())],
    ['program FCFS', by(peers.programFcfs)],
    ['LiteLLM priority, all alike', kernel('priority')],
    ['llm-d LAS, half-life 60 s', by(() => new peers.LlmdLas())],
    ['CONCUR AIMD', by(() => new peers.ConcurAimd())],
    ['mezz: las', kernel('las')],
    ['mezz: gittins', kernel('gittins')],
    ['mezz: remaining, cache unknown', kernel('remaining')],
    ['mezz: default, nothing of the cache', kernel('mezz')],
    ['mezz: default, cache learned', kernel('mezz', 'learned')],
    ['mezz: default, cache set', kernel('mezz', 'set')],
    ['mezz: the same without a maximum wait', kernel('mezz', 'set', 1e9)],
    ...[0, 3, 10].map((beta): [string, Contender] => [clairvoyantName(beta), by(peers.clairvoyant(beta))]),
  ]);
}
const clairvoyantName = (beta: number): string => `clairvoyant SRPT, reload x${beta}`;

interface Figures {
  readonly waitS: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** Tokens computed again, a program. */
  readonly recomputed: number;
  readonly utilisation: number;
  /** Jain's index over slowdowns: 1 if all are slowed down alike. */
  readonly jain: number;
}

function figuresOf({ jobs, recomputed, utilisation }: Outcome): Figures {
  const takes = ({ doneS, arrivedS }: Job) => doneS - arrivedS;
  const slowdowns = jobs.map((job) => takes(job) / job.program.aloneS).sort((a, b) => a - b);
  const at = (share: number) => slowdowns[Math.floor(share * (slowdowns.length - 1))] as number;
  const sum = slowdowns.reduce((total, one) => total + one, 0);
  const squares = slowdowns.reduce((total, one) => total + one * one, 0);
  const waitS = jobs.reduce((total, job) => total + takes(job) - job.program.aloneS, 0) / jobs.length;
  const [p50, p95, p99, max] = [at(0.5), at(0.95), at(0.99), at(1)];
  const jain = (sum * sum) / (slowdowns.length * squares);
  return { waitS, mean: sum / slowdowns.length, p50, p95, p99, max, recomputed, utilisation, jain };
}

function meanOf(all: readonly Figures[]): Figures {
  const keys = Object.keys(all[0] as Figures) as (keyof Figures)[];
  const mean = (key: keyof Figures) => all.reduce((sum, one) => sum + one[key], 0) / all.length;
  return Object.fromEntries(keys.map((key) => [key, mean(key)])) as unknown as Figures;
}

const { train: trained, test } = readTrace();
const seeds = option('seeds', 3);
const count = option('programs', 1500);
const history = train(trained);
const all = contenders(history);
const rows: { regime: string; policy: string; figures: Figures }[] = [];
for (const regime of REGIMES)
  for (const [policy, run] of all) {
    const each = Array.from({ length: seeds }, (_, seed) =>
      figuresOf(run(jobsOf(test, regime, count, seed + 1), regime)),
    );
    rows.push({ regime: regime.name, policy, figures: meanOf(each) });
    note(`${regime.name}: ${policy}`);
  }

const floods = ['fifo', 'round-robin', 'las', 'fair', 'mezz'].map((policy) => {
  const each = Array.from({ length: seeds }, (_, seed) => flood(policy, test, history, seed + 1));
  const mean = (key: 'p50' | 'p95') => each.reduce((sum, one) => sum + one[key], 0) / each.length;
  const gap = Math.max(...each.map((one) => one.gap));
  return { policy, p50: mean('p50'), p95: mean('p95'), gap, bound: each[0]?.bound ?? 0 };
});

/** The targets, and whether they are met. */
const checks = REGIMES.flatMap(({ name }) => {
  const figures = (policy: string) =>
    rows.find((row) => row.regime === name && row.policy === policy)?.figures as Figures;
  const reference = Math.min(...[0, 3, 10].map((beta) => figures(clairvoyantName(beta)).waitS));
  const [ours, fifo, none] = [figures('mezz: default, cache set'), figures('FIFO'), figures('no kernel')];
  return [
    {
      regime: name,
      waitOverClairvoyant: ours.waitS / reference,
      p95OfFifo: ours.p95 / fifo.p95,
      waitBeyondNoKernelS: ours.waitS - none.waitS,
      p99OverNoKernel: ours.p99 / none.p99,
    },
  ];
});
print({ seeds, programs: count, trained: trained.length, test: test.length, rows, checks, floods }, [
  ['regime', 'policy', 'wait s', 'mean', 'p50', 'p95', 'p99', 'max', 'k tokens again', 'busy', 'Jain'],
  ...rows.map(({ regime, policy, figures: f }) => [
    regime,
    policy,
    f.waitS.toFixed(1),
    ...[f.mean, f.p50, f.p95, f.p99].map((value) => value.toFixed(2)),
    f.max.toFixed(0),
    (f.recomputed / 1000).toFixed(0),
    f.utilisation.toFixed(2),
    f.jain.toFixed(2),
  ]),
  [],
  ['', 'the default', 'wait / clairvoyant', 'p95 / FIFO', 'wait - no kernel', 'p99 / no kernel'],
  ...checks.map((one) => [
    one.regime,
    '',
    one.waitOverClairvoyant.toFixed(2),
    `1/${(1 / one.p95OfFifo).toFixed(1)}`,
    one.waitBeyondNoKernelS.toFixed(1),
    one.p99OverNoKernel.toFixed(2),
  ]),
  [],
  ['nine owners beside a flooder', '', 'slowdown p50', 'p95', 'largest gap', 'bound'],
  ...floods.map(({ policy, p50, p95, gap, bound }) => [
    '',
    `mezz: ${policy}`,
    p50.toFixed(1),
    p95.toFixed(1),
    gap.toFixed(0),
    /mezz|fair/.test(policy) ? bound.toFixed(0) : '-',
  ]),
]);
