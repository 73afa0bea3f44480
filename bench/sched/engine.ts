/**
 * An engine with slots and a cache of prefixes, and the programs that use it, in virtual time. Who is next is somebody
 * else's word: an orderer is told what is ready and says what starts. Closed loop: a program's next call becomes ready
 * when the one before has ended and its gap has passed.
 */
import { Heap } from '../../src/scheduler/heap.ts';
import { PREFILL, type Program, type Step } from './trace.ts';

export const SLOTS = 8;

export interface Job {
  readonly id: number;
  readonly tenant: string;
  readonly program: Program;
  readonly arrivedS: number;
  /** Index of the call that is next or runs. */
  at: number;
  readyS: number;
  /** Service it had so far, nothing computed twice counted. */
  attainedS: number;
  doneS: number;
  /** Of the call that runs or was interrupted: seconds left, the tokens it had to compute again, and its starts. */
  leftS: number;
  recomputed: number;
  isOpen: boolean;
}
export const newJob = (id: number, tenant: string, program: Program, arrivedS: number): Job => ({
  id,
  tenant,
  program,
  arrivedS,
  at: 0,
  readyS: 0,
  attainedS: 0,
  doneS: 0,
  leftS: 0,
  recomputed: 0,
  isOpen: false,
});
export const stepOf = (job: Job): Step => job.program.steps[job.at] as Step;

/** What an orderer sees of the engine. */
export interface EngineView {
  readonly nowS: number;
  readonly free: number;
  isCached(job: Job): boolean;
}
export interface Orderer {
  ready(job: Job, engine: EngineView): void;
  /** A call ended; `recomputed` tokens of its input had been lost from the cache. */
  ended(job: Job, recomputed: number, isLast: boolean, engine: EngineView): void;
  /** Who starts now, one at a time, until nobody does or no slot is free. */
  next(engine: EngineView): Job | undefined;
  /** A call that ran so long goes back to those that are ready. */
  readonly quantumS?: number;
  /** When it wants to be asked again though nothing happens. */
  wakesAtS?(nowS: number): number | undefined;
}

interface Happening {
  readonly atS: number;
  readonly order: number;
  readonly job: Job | undefined;
  /** A call ends, or its quantum does. */
  readonly stops: boolean;
}

export interface Outcome {
  readonly jobs: readonly Job[];
  readonly recomputed: number;
  readonly utilisation: number;
}

/** One cache for all: least recently started out first, never what runs. */
export class PrefixCache {
  readonly #room: number;
  readonly #held = new Map<number, number>();
  readonly running = new Set<number>();
  #used = 0;

  constructor(room: number) {
    this.#room = room;
  }

  has(job: Job): boolean {
    return this.#held.has(job.id);
  }

  put(job: Job, tokens: number): void {
    this.drop(job);
    this.#held.set(job.id, tokens);
    this.#used += tokens;
    for (const [id, size] of this.#held) {
      if (this.#used <= this.#room) return;
      if (this.running.has(id)) continue;
      this.#held.delete(id);
      this.#used -= size;
    }
  }

  drop({ id }: Job): void {
    this.#used -= this.#held.get(id) ?? 0;
    this.#held.delete(id);
  }
}

export function simulate(
  jobs: readonly Job[],
  cacheTokens: number,
  orderer: Orderer,
  slots = SLOTS,
): Outcome {
  const happenings = new Heap<Happening>((a, b) => a.atS < b.atS || (a.atS === b.atS && a.order < b.order));
  const cache = new PrefixCache(cacheTokens);
  let order = 0;
  let free = slots;
  let nowS = 0;
  let recomputedAll = 0;
  let busyS = 0;
  const push = (atS: number, job: Job | undefined, stops = false) =>
    happenings.push({ atS, order: order++, job, stops });
  const view = (): EngineView => ({ nowS, free, isCached: (job) => cache.has(job) });
  const quantumS = orderer.quantumS ?? Number.POSITIVE_INFINITY;
  const start = (job: Job): void => {
    const { input, fresh, output, serviceS } = stepOf(job);
    // An interrupted call goes on from a snapshot, as AIOS specifies it: free here, and kind to it.
    const recomputed = job.at > 0 && !job.isOpen && !cache.has(job) ? input - fresh : 0;
    if (!job.isOpen) Object.assign(job, { isOpen: true, leftS: serviceS, recomputed: 0 });
    job.recomputed += recomputed;
    job.leftS += recomputed / PREFILL;
    free--;
    cache.running.add(job.id);
    cache.put(job, input + output);
    recomputedAll += recomputed;
    const runsS = Math.min(quantumS, job.leftS);
    job.leftS -= runsS;
    busyS += runsS;
    push(nowS + runsS, job, true);
  };
  const end = (job: Job): void => {
    free++;
    cache.running.delete(job.id);
    if (job.leftS > 0) {
      job.readyS = nowS;
      return orderer.ready(job, view());
    }
    job.isOpen = false;
    const { recomputed } = job;
    job.attainedS += stepOf(job).serviceS;
    const isLast = job.at === job.program.steps.length - 1;
    orderer.ended(job, recomputed, isLast, view());
    if (isLast) {
      job.doneS = nowS;
      cache.drop(job);
    } else {
      job.at++;
      push(nowS + stepOf(job).gapS, job);
    }
  };
  for (const job of jobs) push(job.arrivedS, job);
  for (let one = happenings.pop(); one; one = happenings.pop()) {
    nowS = one.atS;
    if (one.job && one.stops) end(one.job);
    else if (one.job) {
      one.job.readyS = nowS;
      orderer.ready(one.job, view());
    }
    while (free > 0) {
      const job = orderer.next(view());
      if (!job) break;
      start(job);
    }
    const wakesAtS = orderer.wakesAtS?.(nowS);
    if (wakesAtS !== undefined) push(wakesAtS, undefined);
  }
  return { jobs, recomputed: recomputedAll / jobs.length, utilisation: busyS / (nowS * slots) };
}
