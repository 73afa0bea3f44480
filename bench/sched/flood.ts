/**
 * One owner floods the others: nine owners at load .5 in all, and one that drops 60 programs every ten minutes. No bound
 * on the cache. What the nine feel, and how unevenly owners with calls waiting were served.
 */
import { seededRandom } from '../../src/base/random.ts';
import type { History } from '../../src/scheduler/history.ts';
import { POLICIES } from '../../src/scheduler/policies/all.ts';
import type { Policy } from '../../src/scheduler/policy.ts';
import { type EngineView, type Job, newJob, type Orderer, SLOTS, simulate, stepOf } from './engine.ts';
import { KernelOrderer } from './kernel.ts';
import { DECODE, PREFILL, type Program } from './trace.ts';

const INTERACTIVE = 9;
export const FLOODER = 'flooder';
const LASTS_S = 20_000;
const EVERY_S = 600;
const DROPS = 60;

export interface Flooded {
  readonly p50: number;
  readonly p95: number;
  /** Virtual tokens; the bound is that of scheduler/shares.ts. */
  readonly gap: number;
  readonly bound: number;
}

export function floodJobs(programs: readonly Program[], seed: number, lastsS = LASTS_S): Job[] {
  const random = seededRandom(seed);
  const one = (from: readonly Program[]) => from[Math.floor(random.unit() * from.length)] as Program;
  const meanS = programs.reduce((sum, { serviceS }) => sum + serviceS, 0) / programs.length;
  const large = programs.filter(({ serviceS }) => serviceS > 20 && serviceS < 400);
  const jobs: Job[] = [];
  for (let atS = 0; atS < lastsS; atS += (-Math.log(1 - random.unit()) * meanS) / (0.5 * SLOTS))
    jobs.push(newJob(jobs.length, `owner${jobs.length % INTERACTIVE}`, one(programs), atS));
  for (let atS = 0; atS < lastsS; atS += EVERY_S)
    for (let i = 0; i < DROPS; i++) jobs.push(newJob(jobs.length, FLOODER, one(large), atS));
  return jobs;
}

const costOf = (job: Job): number => (stepOf(job).fresh * DECODE) / PREFILL + stepOf(job).output;

interface Owner {
  waiting: number;
  served: number;
  /** What it and the flooder had been served when it began to wait. */
  from: readonly [own: number, flooder: number] | undefined;
}

/** Follows what owners were served while they and the flooder both had calls waiting. */
class Gauge implements Orderer {
  readonly #inner: Orderer;
  readonly #owners = new Map<string, Owner>();
  gap = 0;

  constructor(inner: Orderer) {
    this.#inner = inner;
  }

  #ownerOf(tenant: string): Owner {
    const owner = this.#owners.get(tenant) ?? { waiting: 0, served: 0, from: undefined };
    this.#owners.set(tenant, owner);
    return owner;
  }

  #look(): void {
    const flooder = this.#ownerOf(FLOODER);
    for (const owner of this.#owners.values()) {
      if (owner === flooder) continue;
      if (owner.waiting === 0 || flooder.waiting === 0) owner.from = undefined;
      else owner.from ??= [owner.served, flooder.served];
      if (!owner.from) continue;
      const [own, flood] = [owner.served - owner.from[0], flooder.served - owner.from[1]];
      this.gap = Math.max(this.gap, Math.abs(own - flood));
    }
  }

  ready(job: Job, engine: EngineView): void {
    this.#ownerOf(job.tenant).waiting++;
    this.#inner.ready(job, engine);
  }

  ended(job: Job, recomputed: number, isLast: boolean, engine: EngineView): void {
    this.#ownerOf(job.tenant).served += costOf(job);
    this.#look();
    this.#inner.ended(job, recomputed, isLast, engine);
  }

  next(engine: EngineView): Job | undefined {
    const job = this.#inner.next(engine);
    if (job) this.#ownerOf(job.tenant).waiting--;
    this.#look();
    return job;
  }
}

export function flood(name: string, programs: readonly Program[], history: History, seed: number): Flooded {
  const policy = POLICIES.get(name) as Policy<unknown>;
  const gauge = new Gauge(new KernelOrderer({ policy, history, maxWaitS: 1e9 }));
  const { jobs } = simulate(floodJobs(programs, seed), Number.POSITIVE_INFINITY, gauge);
  const slowdowns = jobs
    .filter(({ tenant }) => tenant !== FLOODER)
    .map(({ doneS, arrivedS, program }) => (doneS - arrivedS) / program.aloneS)
    .sort((a, b) => a - b);
  const at = (share: number) => slowdowns[Math.floor(share * (slowdowns.length - 1))] as number;
  const largest = Math.max(
    ...programs.flatMap(({ steps }) => steps.map(({ fresh, output }) => (fresh * DECODE) / PREFILL + output)),
  );
  return { p50: at(0.5), p95: at(0.95), gap: gauge.gap, bound: (4 * SLOTS + 2) * largest };
}
