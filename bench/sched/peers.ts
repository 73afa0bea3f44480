/**
 * What mezz is compared with, as orderers of the same engine. Peers are written here from their papers and sources, as
 * simply as they allow; none of their code runs. References know what no scheduler knows.
 */
import { type EngineView, type Job, type Orderer, SLOTS, stepOf } from './engine.ts';
import { PREFILL } from './trace.ts';

/** Smallest index first, by a look at all that wait; equal ones by the time they became ready. */
export class Indexed implements Orderer {
  readonly #index: (job: Job, engine: EngineView) => number;
  readonly #waiting = new Set<Job>();

  constructor(index: (job: Job, engine: EngineView) => number) {
    this.#index = index;
  }

  ready(job: Job, _engine: EngineView): void {
    this.#waiting.add(job);
  }

  ended(_job: Job, _recomputed: number, _isLast: boolean, _engine: EngineView): void {}

  next(engine: EngineView): Job | undefined {
    let best: Job | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const job of this.#waiting) {
      const index = this.admits(job) ? this.#index(job, engine) : Number.POSITIVE_INFINITY;
      const isFirst = index < least || (best && index === least && job.readyS < best.readyS);
      if (isFirst) [best, least] = [job, index];
    }
    if (best) this.#waiting.delete(best);
    return best;
  }

  protected admits(_job: Job): boolean {
    return true;
  }
}

export const fifo = () => new Indexed((job) => job.readyS);
export const programFcfs = () => new Indexed((job) => job.arrivedS);

/** Clairvoyant: the service that is really left, and `beta` times the cost of reloading. */
export const clairvoyant = (beta: number) => () =>
  new Indexed((job, engine) => {
    const cold = job.at > 0 && !engine.isCached(job);
    return job.program.serviceS - job.attainedS + (cold ? (beta * stepOf(job).input) / PREFILL : 0);
  });

/** llm-d's program-aware fairness: least attained service, answers count twice, halved every 60 s. */
export class LlmdLas extends Indexed {
  /** log2 of service x 2^(t / 60 s): all decay alike, so the order of what is left does not. */
  readonly #logs: Map<number, number>;

  constructor() {
    const logs = new Map<number, number>();
    super((job) => logs.get(job.id) ?? Number.NEGATIVE_INFINITY);
    this.#logs = logs;
  }

  override ended(job: Job, _recomputed: number, _isLast: boolean, { nowS }: EngineView): void {
    const { input, output } = stepOf(job);
    const fresh = Math.log2(input + 2 * output) + nowS / 60;
    const old = this.#logs.get(job.id) ?? Number.NEGATIVE_INFINITY;
    const [low, high] = [Math.min(old, fresh), Math.max(old, fresh)];
    this.#logs.set(job.id, high + Math.log2(1 + 2 ** (low - high)));
  }
}

/** CONCUR: first come, first served, and a window on active programs that grows by one and shrinks by a tenth. */
export class ConcurAimd extends Indexed {
  readonly #active = new Set<number>();
  #window = SLOTS;
  #hits = 1;
  #calls = 0;

  constructor() {
    super((job) => job.readyS);
  }

  protected override admits(job: Job): boolean {
    return this.#active.has(job.id) || this.#active.size < this.#window;
  }

  override next(engine: EngineView): Job | undefined {
    const job = super.next(engine);
    if (job) this.#active.add(job.id);
    return job;
  }

  override ended(job: Job, recomputed: number, isLast: boolean): void {
    if (isLast) this.#active.delete(job.id);
    if (job.at === 0) return;
    this.#hits += 0.05 * (1 - recomputed / stepOf(job).input - this.#hits);
    // Once a window of calls: what was changed must have had its effect.
    if (++this.#calls < this.#window) return;
    this.#calls = 0;
    this.#window = this.#hits < 0.8 ? Math.max(1, 0.9 * this.#window) : this.#window + 1;
  }
}

/** AIOS first come, first served as specified: looks once a second, takes all that wait, and again when all have ended. */
export class AiosFifo implements Orderer {
  readonly #waiting: Job[] = [];
  #batch: Job[] = [];
  #running = 0;
  /** The looks are at this instant and each second after. */
  #looksFromS = 0;

  ready(job: Job): void {
    this.#waiting.push(job);
  }

  ended(_job: Job, _recomputed: number, _isLast: boolean, { nowS }: EngineView): void {
    this.#running--;
    if (this.#isIdle) this.#looksFromS = nowS + 1;
  }

  next({ nowS }: EngineView): Job | undefined {
    if (this.#isIdle && this.#nextLookS(nowS) === nowS) this.#batch = this.#waiting.splice(0);
    const job = this.#batch.shift();
    if (job) this.#running++;
    return job;
  }

  wakesAtS(nowS: number): number | undefined {
    return this.#isIdle && this.#waiting.length > 0 ? this.#nextLookS(nowS) : undefined;
  }

  get #isIdle(): boolean {
    return this.#running === 0 && this.#batch.length === 0;
  }

  #nextLookS(nowS: number): number {
    return this.#looksFromS + Math.max(0, Math.ceil(nowS - this.#looksFromS));
  }
}

/** AIOS round-robin as specified: each call has a slot for 1 s, then goes behind those that wait. */
export class AiosRoundRobin extends Indexed {
  readonly quantumS = 1;

  constructor() {
    super((job) => job.readyS);
  }
}
