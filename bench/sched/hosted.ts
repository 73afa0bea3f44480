/**
 * A hosted API with rate limits (the lab's own) in virtual time, and the programs that use it, closed loop: a program's
 * next call is ready when the one before has ended and its gap has passed. How a call gets there is somebody else's word:
 * clients that go by themselves, or the kernel's scheduler and governor.
 */
import type { Clock } from '../../src/base/clock.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { Allowance, type Ask, type LabDimension, type Limits } from '../../src/drivers/lab/allowance.ts';
import { Heap } from '../../src/scheduler/heap.ts';
import { DECODE, PREFILL, type Program, type Step } from './trace.ts';

export type Kind = 'anthropic' | 'openai';

/** What clients ask for at most: Claude Code's default, and one that a limit on tokens can bear. */
export const BOUND: Readonly<Record<Kind, number>> = { anthropic: 32_000, openai: 4_096 };
const SLICES = 20;

interface Timer {
  readonly at: number;
  readonly order: number;
  task: (() => void) | undefined;
}

export class HeapClock implements Clock {
  readonly #timers = new Heap<Timer>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));
  #now = 0;
  #order = 0;

  now(): number {
    return this.#now;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, delayMs), order: this.#order++, task };
    this.#timers.push(timer);
    return () => {
      timer.task = undefined;
    };
  }

  /** Until nothing is left to happen. */
  run(): void {
    for (let timer = this.#timers.pop(); timer; timer = this.#timers.pop()) {
      this.#now = Math.max(this.#now, timer.at);
      timer.task?.();
    }
  }
}

export interface Turn {
  readonly id: number;
  readonly program: Program;
  readonly arrivedMs: number;
  /** Whose it is, where that matters. */
  readonly by?: { readonly agent: number; readonly nice: number };
  at: number;
  readyMs: number;
  doneMs: number | undefined;
  failed: boolean;
}
export const stepOf = (turn: Turn): Step => turn.program.steps[turn.at] as Step;

export interface Answer {
  /** Flat, as the head has them. */
  readonly headers: readonly string[];
  /** ms to wait; undefined: it was served. */
  readonly retryAfterMs: number | undefined;
}

/** How calls get to the API. */
export type Way = (world: Hosted) => { ready(turn: Turn): void };

export interface Change {
  readonly atMs: number;
  /** Times what the limits were at first. */
  readonly factor?: number;
  /** Calls a minute of another client of the account, each like a mean one. */
  readonly othersPerMinute?: number;
}

export class Hosted {
  readonly clock = new HeapClock();
  readonly kind: Kind;
  readonly random: Random;
  readonly #limits: Limits;
  readonly #allowance: Allowance;
  readonly #next: (done: Turn) => Turn | undefined;
  readonly turns: Turn[];
  sends = 0;
  refused = 0;
  /** What was charged in each dimension, minute by minute, by us and by others. */
  readonly charged = new Map<LabDimension, number[]>();
  readonly others: number[] = [];
  #open = 0;
  #way: ReturnType<Way>;

  constructor(
    kind: Kind,
    limits: Limits,
    turns: Turn[],
    way: Way,
    seed: number,
    changes: readonly Change[] = [],
    next: (done: Turn) => Turn | undefined = () => undefined,
  ) {
    this.kind = kind;
    this.#next = next;
    this.#limits = limits;
    this.#allowance = new Allowance(limits, 0);
    this.random = seededRandom(seed);
    this.turns = turns;
    this.#way = way(this);
    for (const turn of turns) this.#arrives(turn);
    for (const change of changes) this.clock.after(change.atMs, () => this.#change(change));
    this.clock.run();
  }

  /** What a call would ask for, as far as the request says it. */
  askOf(turn: Turn): Ask {
    const { input, fresh } = stepOf(turn);
    return { input, cached: input - fresh, bound: BOUND[this.kind] };
  }

  send(turn: Turn, head: (headers: readonly string[]) => void, end: (answer: Answer) => void): void {
    const { fresh, output } = stepOf(turn);
    const ask = this.askOf(turn);
    this.sends++;
    const waitMs = this.#admit(ask);
    if (waitMs > 0) {
      this.refused++;
      const headers = this.#headers();
      this.clock.after(50, () => {
        head(headers);
        end({ headers, retryAfterMs: 1000 * Math.max(1, Math.ceil(waitMs / 1000)) });
      });
      return;
    }
    const slices = Math.min(SLICES, Math.max(1, output));
    this.clock.after((fresh / PREFILL) * 1000 + 50, () => {
      head(this.#headers());
      const write = (slice: number): void => {
        const tokens = Math.floor(((slice + 1) * output) / slices) - Math.floor((slice * output) / slices);
        this.clock.after((tokens / DECODE) * 1000, () => {
          this.#wrote(tokens, ask);
          if (slice + 1 < slices) return write(slice + 1);
          end({ headers: [], retryAfterMs: undefined });
        });
      };
      write(0);
    });
  }

  /** The call of a turn has ended for good. */
  ended(turn: Turn, isOk: boolean): void {
    if (!isOk || turn.at === turn.program.steps.length - 1) {
      turn.doneMs = this.clock.now();
      turn.failed = !isOk;
      this.#open--;
      const next = this.#next(turn);
      if (next) this.#arrives(next);
      return;
    }
    turn.at++;
    this.clock.after(stepOf(turn).gapS * 1000, () => this.#ready(turn));
  }

  #arrives(turn: Turn): void {
    this.#open++;
    this.clock.after(turn.arrivedMs - this.clock.now(), () => this.#ready(turn));
  }

  #ready(turn: Turn): void {
    turn.readyMs = this.clock.now();
    this.#way.ready(turn);
  }

  #headers(): string[] {
    return this.#allowance.headers(this.kind, this.clock.now()).flat();
  }

  #admit(ask: Ask): number {
    const waitMs = this.#allowance.admit(ask, this.clock.now());
    if (waitMs > 0) return waitMs;
    this.#count('requests', 1);
    this.#count('input', ask.input - ask.cached);
    this.#count('tokens', ask.input + (ask.bound ?? 0));
    return 0;
  }

  #wrote(tokens: number, ask: Ask): void {
    this.#allowance.wrote(tokens, ask, this.clock.now());
    this.#count('output', tokens);
  }

  #count(dimension: LabDimension, amount: number): void {
    const minutes = this.charged.get(dimension) ?? [];
    this.charged.set(dimension, minutes);
    const minute = Math.floor(this.clock.now() / 60_000);
    minutes[minute] = (minutes[minute] ?? 0) + amount;
  }

  #change({ factor, othersPerMinute }: Change): void {
    const now = this.clock.now();
    for (const [dimension, size] of Object.entries(this.#limits))
      if (factor !== undefined) this.#allowance.resize(dimension as LabDimension, size * factor, now);
    if (othersPerMinute !== undefined) this.#other(othersPerMinute);
  }

  /** Somebody else's calls, one every so often as long as anything goes on: taken if there is room, given up if not. */
  #other(perMinute: number): void {
    const step = (this.turns[Math.floor(this.random.unit() * this.turns.length)] as Turn).program
      .steps[0] as Step;
    const ask = { input: step.input, cached: step.input - step.fresh, bound: BOUND[this.kind] };
    if (this.#admit(ask) === 0) {
      this.#wrote(step.output, ask);
      const minute = Math.floor(this.clock.now() / 60_000);
      this.others[minute] = (this.others[minute] ?? 0) + 1;
    }
    if (this.#open > 0) this.clock.after(60_000 / perMinute, () => this.#other(perMinute));
  }
}
