/** No kernel: up to 256 calls share the engine while their contexts fit its cache; each gets min(1, slots / calls) of a slot. */
import { Heap } from '../../src/scheduler/heap.ts';
import { type Job, type Outcome, SLOTS, stepOf } from './engine.ts';
import { PREFILL } from './trace.ts';

const AT_ONCE = 256;

interface Running {
  readonly job: Job;
  /** When it ends, in seconds of a slot of its own. */
  readonly endsAt: number;
  readonly tokens: number;
}
interface Arrival {
  readonly atS: number;
  readonly order: number;
  readonly job: Job;
}

export function simulateShared(jobs: readonly Job[], cacheTokens: number): Outcome {
  const arrivals = new Heap<Arrival>((a, b) => a.atS < b.atS || (a.atS === b.atS && a.order < b.order));
  const running = new Heap<Running>((a, b) => a.endsAt < b.endsAt);
  const waiting: Job[] = [];
  /** Contexts that are cached and do not run, the least recently started first. */
  const cached = new Map<number, number>();
  let [order, nowS, virtualS, inUse, idle, recomputedAll, busyS] = [0, 0, 0, 0, 0, 0, 0];
  const forget = (id: number): boolean => {
    idle -= cached.get(id) ?? 0;
    return cached.delete(id);
  };
  const start = (job: Job): void => {
    const { input, fresh, output, serviceS } = stepOf(job);
    const recomputed = job.at > 0 && !forget(job.id) ? input - fresh : 0;
    recomputedAll += recomputed;
    const tokens = input + output;
    inUse += tokens;
    for (const id of cached.keys()) {
      if (inUse + idle <= cacheTokens) break;
      forget(id);
    }
    const work = serviceS + recomputed / PREFILL;
    busyS += work;
    running.push({ job, endsAt: virtualS + work, tokens });
  };
  const end = ({ job, tokens }: Running): void => {
    inUse -= tokens;
    if (++job.at < job.program.steps.length) {
      cached.set(job.id, tokens);
      idle += tokens;
      arrivals.push({ atS: nowS + stepOf(job).gapS, order: order++, job });
    } else job.doneS = nowS;
  };
  for (const job of jobs) arrivals.push({ atS: job.arrivedS, order: order++, job });
  for (;;) {
    const [arrival, first] = [arrivals.peek(), running.peek()];
    if (!arrival && !first) break;
    const speed = Math.min(1, SLOTS / Math.max(1, running.size));
    const endsS = first ? nowS + (first.endsAt - virtualS) / speed : Number.POSITIVE_INFINITY;
    const isEnd = endsS <= (arrival?.atS ?? Number.POSITIVE_INFINITY);
    const nextS = isEnd ? endsS : (arrival as Arrival).atS;
    virtualS = isEnd ? (first as Running).endsAt : virtualS + (nextS - nowS) * speed;
    nowS = nextS;
    if (isEnd) end(running.pop() as Running);
    else waiting.push((arrivals.pop() as Arrival).job);
    for (let job = waiting[0]; job; job = waiting[0]) {
      const { input, output } = stepOf(job);
      const fits = running.size === 0 || inUse + input + output <= cacheTokens;
      if (running.size >= AT_ONCE || !fits) break;
      waiting.shift();
      start(job);
    }
  }
  return { jobs, recomputed: recomputedAll / jobs.length, utilisation: busyS / (nowS * SLOTS) };
}
