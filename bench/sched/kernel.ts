/** The kernel's own scheduler and policies as an orderer: the very code that runs live, with a clock that is told. */
import type { Clock } from '../../src/base/clock.ts';
import type { Terms } from '../../src/scheduler/cost.ts';
import type { Changes } from '../../src/scheduler/history.ts';
import { History } from '../../src/scheduler/history.ts';
import type { Policy } from '../../src/scheduler/policy.ts';
import { Slots } from '../../src/scheduler/resource.ts';
import { Scheduler } from '../../src/scheduler/scheduler.ts';
import { type EngineView, type Job, type Orderer, SLOTS, stepOf } from './engine.ts';
import { DECODE, PREFILL, type Program } from './trace.ts';

const TERMS = { inputWeight: DECODE / PREFILL, requestWeight: 0, combine: 'sum' } as const;
const IMAGE = 'coding';

/** Learned from one part of the sessions, and nothing while the others run. */
class Trained extends History {
  override learn(): Changes {
    return { puts: [], deletes: [] };
  }
}

export function train(programs: readonly Program[]): History {
  const history = new History();
  let last: Changes | undefined;
  for (const { serviceS } of programs) last = history.learn(IMAGE, serviceS * DECODE);
  return new Trained(last ? last.puts.map(({ row }) => row as { id: string; cells: string }) : []);
}

export interface KernelOptions {
  readonly policy: Policy<unknown>;
  readonly history: History;
  readonly maxWaitS: number;
  /** What mezz.yaml says of the backend's cache, or that it is learned; undefined: nobody cares. */
  readonly cacheTokens?: number | 'learned';
  readonly slots?: number;
  /** What serving costs there, as policies see it; the engine's own rates by default. */
  readonly terms?: Terms;
}

export class KernelOrderer implements Orderer {
  readonly #scheduler: Scheduler;
  readonly #granted: Job[] = [];
  /** An answer is expected to be as long as answers were so far. */
  #meanOutput = 400;
  #nowS = 0;

  constructor({ policy, history, maxWaitS, cacheTokens, slots = SLOTS, terms = TERMS }: KernelOptions) {
    const clock: Clock = { now: () => this.#nowS * 1000, after: () => () => {} };
    this.#scheduler = new Scheduler({
      clock,
      policy,
      history,
      resources: [new Slots('engine', slots, { ...terms, cacheTokens })],
      maxWaitMs: maxWaitS * 1000,
      queue: 1e6,
    });
  }

  ready(job: Job, { nowS }: EngineView): void {
    this.#nowS = nowS;
    this.#scheduler.submit({
      call: callOf(job),
      agent: agentOf(job),
      owner: job.tenant,
      turn: String(job.id),
      nice: 0,
      arrivedAt: nowS * 1000,
      deadlineAt: Number.POSITIVE_INFINITY,
      inTokens: stepOf(job).input,
      outTokens: this.#meanOutput,
      image: IMAGE,
      resources: ['engine'],
      onGrant: () => void this.#granted.push(job),
      onRefuse: () => {
        throw new Error('the benchmark has no bound that could refuse');
      },
    });
  }

  ended(job: Job, recomputed: number, isLast: boolean, { nowS }: EngineView): void {
    this.#nowS = nowS;
    const { input, fresh, output } = stepOf(job);
    const computed = fresh + recomputed;
    this.#meanOutput += 0.02 * (output - this.#meanOutput);
    const used = { input: computed, cached: input - computed, output, endsTurn: isLast };
    this.#scheduler.used(callOf(job), used);
    this.#scheduler.release(callOf(job), 'engine');
  }

  next(): Job | undefined {
    return this.#granted.shift();
  }
}

/** For round-robin an owner is one agent. */
const agentOf = ({ id, tenant }: Job): number =>
  tenant === 'me' ? id : Number(/\d+/.exec(tenant)?.[0] ?? -1);
const callOf = (job: Job): string => `${job.id}.${job.at}`;
