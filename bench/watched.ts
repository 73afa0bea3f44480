/**
 * What a person feels, through the real kernel in scaled time, on real sessions. Watched: one interactive agent at nice -5
 * beside four that work without a pause, on the plan of a hosted API's second tier (1,000 requests, 450,000 uncached input
 * and 90,000 output tokens a minute), or of its first; compared with the same agent alone, and with all five at nice 0. Shares: three owners with
 * weights 1, 2 and 3 who always have calls waiting, on an engine of eight slots, for five minutes. Classes: two agents at
 * nice -5 beside twelve at nice 10 there. Flooder: nine owners at half load beside one that drops 60 programs at once.
 * Usage: node scripts/with-node.js bench/watched.ts [--scale 20] [--tier 1] [--only plan|shares|classes|flood] [--json]
 */
import { seededRandom } from '../src/base/random.ts';
import { costOf, ENGINE } from '../src/scheduler/cost.ts';
import { note, option, print, text } from './lab/report.ts';
import { type Job, newJob, SLOTS } from './sched/engine.ts';
import { FLOODER, floodJobs } from './sched/flood.ts';
import { type Hired, Live, type LiveOptions, type Played } from './sched/live.ts';
import { FIRST_TIER, type Plan, PlanLimiter, SECOND_TIER } from './sched/plan.ts';
import { type Program, readTrace } from './sched/trace.ts';

const WATCHED = 'watched';
const WATCHED_S = 1_200;
const SHARED_S = 300;
const FLOODED_S = 400;
/** A person reads an answer, and asks the next thing. */
const READS_S = 20;

const scale = option('scale', 20);
const PLAN: Plan = option('tier', 2) === 1 ? FIRST_TIER : SECOND_TIER;
const { test: all } = readTrace();

/** An agent's programs, one after the other until the end; each agent has a sequence of its own. */
function sequence(seed: number, fits: (program: Program) => boolean): () => Job {
  const random = seededRandom(seed);
  const some = all.filter(fits);
  let next = 0;
  return () =>
    newJob(seed * 1000 + next++, 'me', some[Math.floor(random.unit() * some.length)] as Program, 0);
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);
const virtual = ({ fresh, output }: Played): number => costOf(ENGINE, fresh, output);
/** Without the gaps: who has always calls waiting. */
const busily = (program: Program): Program => ({
  ...program,
  steps: program.steps.map((step) => ({ ...step, gapS: 0 })),
});
const hire = (count: number, nice: number, owner = 'me'): Hired[] =>
  Array.from({ length: count }, (_, i) => ({ name: `${owner}${nice < 0 ? 'i' : 'b'}${i}`, nice, owner }));

async function withLive<T>(options: Omit<LiveOptions, 'scale'>, run: (live: Live) => Promise<T>): Promise<T> {
  const live = await Live.open({ scale, ...options });
  try {
    // Connections are opened and code is warm; where calls are counted, that comes with the first of them.
    if (!options.limiter) await live.warm();
    live.begin();
    return await run(live);
  } finally {
    await live.close();
  }
}

interface Watched {
  /** Seconds of each turn, in the order of the same programs. */
  readonly turns: readonly number[];
  /** Virtual tokens that the others' calls took in time. */
  readonly batch: number;
  readonly refused: number;
}

function watched(niceOfOne: number, others: number): Promise<Watched> {
  const hired = [{ name: WATCHED, nice: niceOfOne, owner: 'me' }, ...hire(others, 0)];
  const backend = 'credential: kernel, key: { env: MEZZ_BENCH_KEY }';
  const options = { cacheTokens: 1e9, slots: 64, hired, backend, limiter: new PlanLimiter(PLAN) };
  return withLive(options, async (live) => {
    const turns: number[] = [];
    const one = async (): Promise<void> => {
      const next = sequence(1, ({ aloneS, serviceS }) => aloneS < 120 && serviceS > 5);
      while (live.nowS < WATCHED_S) {
        const job = next();
        const fromS = live.nowS;
        await live.play(job, 0, WATCHED_S);
        if (job.doneS > 0) turns.push(job.doneS - fromS);
        await live.sleep(READS_S);
      }
    };
    const other = async (who: number): Promise<void> => {
      const next = sequence(1 + who, () => true);
      while (live.nowS < WATCHED_S) await live.play(next(), who, WATCHED_S);
    };
    await Promise.all([one(), ...Array.from({ length: others }, (_, i) => other(i + 1))]);
    const batch = live.played.filter(({ hired: { name } }) => name !== WATCHED);
    // A long call that is not done in the end has had its part all the same.
    const partOf = ({ startedS, tookS }: Played) =>
      Math.min(1, Math.max(0, (WATCHED_S - startedS) / Math.max(0.001, tookS)));
    return {
      turns,
      batch: sum(batch.map((one) => partOf(one) * virtual(one))),
      refused: live.figures.refused,
    };
  });
}

/** All of them always have a call running or waiting; their calls that ended in time. */
function contend(hired: readonly Hired[], more: string): Promise<Played[]> {
  return withLive({ cacheTokens: 1e9, slots: SLOTS, hired, more }, async (live) => {
    const agent = async (who: number): Promise<void> => {
      const next = sequence(100 + who, ({ steps }) => steps.every(({ fresh }) => fresh < 50_000));
      while (live.nowS < SHARED_S) {
        const job = next();
        await live.play({ ...job, program: busily(job.program) }, who, SHARED_S);
      }
    };
    await Promise.all(hired.map((_, who) => agent(who)));
    return live.played.filter(({ endedS }) => endedS < SHARED_S);
  });
}

async function shares(): Promise<{ weight: number; tokens: number; off: number }[]> {
  const weights = [1, 2, 3];
  const hired = weights.flatMap((weight) => hire(10, 0, `owner${weight}`));
  const played = await contend(hired, 'scheduling: { weights: { owner1: 1, owner2: 2, owner3: 3 } }');
  const total = sum(played.map(virtual));
  return weights.map((weight) => {
    const tokens = sum(played.filter(({ hired: { owner } }) => owner === `owner${weight}`).map(virtual));
    return { weight, tokens, off: (tokens * sum(weights)) / (total * weight) - 1 };
  });
}

async function classes(): Promise<{ first: number; last: number }> {
  const played = await contend([...hire(2, -5), ...hire(12, 10)], '');
  const p95 = (nice: number) => {
    const waits = played
      .filter(({ hired }) => hired.nice === nice)
      .map(({ startedS, sentS }) => startedS - sentS);
    return waits.sort((a, b) => a - b)[Math.floor(0.95 * (waits.length - 1))] as number;
  };
  return { first: p95(-5), last: p95(10) };
}

/** Nine owners beside one that floods; every program an agent of its own. */
async function flooded(): Promise<{ p50: number; p95: number; gap: number; bound: number }> {
  const short = all.filter(({ aloneS, steps }) => aloneS < 200 && steps.every(({ fresh }) => fresh < 50_000));
  const jobs = floodJobs(short, 1, FLOODED_S);
  const tenants = [...new Set(jobs.map(({ tenant }) => tenant))];
  const hired = tenants.flatMap((tenant) => hire(tenant === FLOODER ? 20 : 4, 0, tenant));
  const options = { cacheTokens: 1e9, slots: SLOTS, hired, more: 'scheduling: { queue: 10000 }' };
  const played = await withLive(options, async (live) => {
    const play = async (job: Job, at: number): Promise<void> => {
      const own = hired.flatMap(({ owner }, who) => (owner === job.tenant ? [who] : []));
      await live.sleep(job.arrivedS);
      await live.play(job, own[at % own.length] as number, job.tenant === FLOODER ? FLOODED_S : undefined);
    };
    await Promise.all(jobs.map(play));
    return live.played;
  });
  const slowdowns = jobs
    .filter(({ tenant }) => tenant !== FLOODER)
    .map(({ doneS, arrivedS, program }) => (doneS - arrivedS) / program.aloneS)
    .sort((a, b) => a - b);
  const at = (share: number) => slowdowns[Math.floor(share * (slowdowns.length - 1))] as number;
  const bound = (4 * SLOTS + 2) * Math.max(...played.map(virtual));
  return { p50: at(0.5), p95: at(0.95), gap: gapOf(played), bound };
}

/** How much more one of two was served, the flooder and another owner, while both had calls waiting: the most of all. */
function gapOf(played: readonly Played[]): number {
  const moments = played.flatMap((one) => [
    { atS: one.sentS, one, waits: 1, served: 0 },
    { atS: one.startedS, one, waits: -1, served: 0 },
    { atS: one.endedS, one, waits: 0, served: virtual(one) },
  ]);
  const owners = new Map<string, { waiting: number; served: number; from?: readonly [number, number] }>();
  const ownerOf = (name: string) => owners.get(name) ?? { waiting: 0, served: 0 };
  let gap = 0;
  for (const { one, waits, served } of moments.sort((a, b) => a.atS - b.atS)) {
    const own = ownerOf(one.hired.owner);
    owners.set(one.hired.owner, own);
    own.waiting += waits;
    own.served += served;
    const flooder = ownerOf(FLOODER);
    for (const other of owners.values()) {
      if (other === flooder) continue;
      if (other.waiting === 0 || flooder.waiting === 0) delete other.from;
      else other.from ??= [other.served, flooder.served];
      if (!other.from) continue;
      gap = Math.max(gap, Math.abs(other.served - other.from[0] - (flooder.served - other.from[1])));
    }
  }
  return gap;
}

type Rows = string[][];
const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

async function planRows(): Promise<Rows> {
  const alone = await watched(-5, 0);
  note('alone');
  const level = await watched(0, 4);
  note('all at nice 0');
  const ahead = await watched(-5, 4);
  note('at nice -5');
  /** The turns that all three had. */
  const common = Math.min(alone.turns.length, level.turns.length, ahead.turns.length);
  const takes = ({ turns }: Watched) => sum(turns.slice(0, common)) / common;
  const times = (one: Watched) => `${takes(one).toFixed(1)} (x${(takes(one) / takes(alone)).toFixed(2)})`;
  return [
    [`seconds a turn alone, mean of ${common}`, takes(alone).toFixed(1), ''],
    ['beside four others, all at nice 0', times(level), ''],
    ['beside four others, itself at nice -5', times(ahead), 'x1.1'],
    ['what the others lose by that', percent(1 - ahead.batch / level.batch), '5 %'],
    ['calls the provider turned away', `${level.refused}, ${ahead.refused}`, ''],
  ];
}

async function sharesRows(): Promise<Rows> {
  const owners = await shares();
  return owners.map(({ weight, tokens, off }) => [
    `owner of weight ${weight}: virtual tokens, off its share`,
    `${tokens.toFixed(0)}, ${percent(off)}`,
    '10 %',
  ]);
}

async function classesRows(): Promise<Rows> {
  const { first, last } = await classes();
  const figure = `${first.toFixed(1)}, ${last.toFixed(1)} (${(first / last).toFixed(2)})`;
  return [['p95 wait at nice -5, at nice 10, s', figure, '0.25']];
}

async function floodRows(): Promise<Rows> {
  const { p50, p95, gap, bound } = await flooded();
  return [
    ['nine owners beside a flooder: slowdown p50, p95', `${p50.toFixed(2)}, ${p95.toFixed(2)}`, 'p95 5'],
    ['largest service gap, virtual tokens', gap.toFixed(0), bound.toFixed(0)],
  ];
}

const parts = { plan: planRows, shares: sharesRows, classes: classesRows, flood: floodRows };
const rows: Rows = [];
for (const [name, measure] of Object.entries(parts)) {
  if (text('only') !== '' && text('only') !== name) continue;
  rows.push(...(await measure()));
  note(name);
}
print({ scale, rows }, [['watched', 'figure', 'target'], ...rows]);
