/** The lab's time: slots, the speed of reading and writing, rate limits and failures, on a clock that is an argument. */
import type { Clock } from '../../base/clock.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import type { NeutralEvent, NeutralRequest } from '../../wire/neutral.ts';
import { Allowance, type Limits } from './allowance.ts';
import { PrefixCache } from './cache.ts';
import { sayTo } from './model.ts';
import type { LabOptions } from './options.ts';
import { piecesOf } from './pieces.ts';

/** How the lab ends a request. `malformed`: what follows on the wire is to be no event. */
export type LabEnd =
  | { readonly kind: 'done' | 'cut' | 'malformed' | 'left' }
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly message: string;
      readonly retryAfterMs: number;
    };

/** Writes come at most this often: faster models write more tokens at a time. */
const TICK_MS = 5;

export class LabEngine {
  readonly #options: LabOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #cache: PrefixCache;
  readonly allowance: Allowance;
  #running = 0;
  readonly #queue: (() => void)[] = [];
  #served = 0;

  constructor(options: LabOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#random = seededRandom(options.seed);
    this.#cache = new PrefixCache(options.cacheTokens);
    const { requestsPerMinute: requests, inputPerMinute: input, outputPerMinute: output } = options;
    const limits = { requests, input, output, tokens: options.tokensPerMinute };
    this.allowance = new Allowance(limits as Limits, clock.now());
  }

  /** Answers one request by events; `signal` is aborted when its client leaves. */
  async serve(
    request: NeutralRequest,
    emit: (event: NeutralEvent) => void,
    signal: AbortSignal,
  ): Promise<LabEnd> {
    const fate = this.#fate();
    const refused = this.#refuse(request, fate);
    if (refused) return refused;
    if (this.#running >= this.#options.slots) {
      if (this.#options.whenBusy === 'reject')
        return { kind: 'refused', status: 529, message: 'The lab is busy.', retryAfterMs: 1000 };
      await this.#queueFor(signal);
      if (signal.aborted) return { kind: 'left' };
    } else this.#running++;
    try {
      return await this.#write(request, emit, signal, fate);
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#running--;
    }
  }

  /** Waits for a slot, which then is this call's; one that left gives it on. */
  #queueFor(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const turn = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        const at = this.#queue.indexOf(turn);
        if (at !== -1) this.#queue.splice(at, 1);
        resolve();
      };
      this.#queue.push(turn);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** Drawn for each request in order, whatever becomes of it: that keeps a run repeatable. */
  #fate(): 'well' | 'status' | 'cut' | 'malformed' {
    const { status, cut = 0, malformed = 0 } = this.#options.failures;
    const drawn = this.#random.unit();
    const first = status?.share ?? 0;
    if (drawn < first) return 'status';
    if (drawn < first + cut) return 'cut';
    return drawn < first + cut + malformed ? 'malformed' : 'well';
  }

  #refuse(request: NeutralRequest, fate: string): LabEnd | undefined {
    const status = fate === 'status' ? this.#options.failures.status?.code : undefined;
    if (status !== undefined)
      return { kind: 'refused', status, message: 'The lab was told to fail.', retryAfterMs: 1000 };
    const { tokens: input, cached } = this.#cache.look(request);
    const retryAfterMs = this.allowance.admit({ input, cached, bound: request.maxOutput }, this.#clock.now());
    if (retryAfterMs === 0) return undefined;
    return { kind: 'refused', status: 429, message: "The lab's rate limit is reached.", retryAfterMs };
  }

  async #write(
    request: NeutralRequest,
    emit: (event: NeutralEvent) => void,
    signal: AbortSignal,
    fate: string,
  ): Promise<LabEnd> {
    const { tokens, cached } = this.#cache.read(request);
    const said = sayTo(request);
    const pieces = said.parts.flatMap((part, index) => piecesOf(part, index));
    const written = pieces.reduce((sum, piece) => sum + piece.tokens, 0);
    await this.#pass(((tokens - cached) * 1000) / this.#options.prefillRate, signal);
    if (signal.aborted) return { kind: 'left' };
    const read = { input: tokens - cached, cacheRead: cached, cacheWrite: 0, reasoning: 0 };
    emit({
      kind: 'start',
      id: `lab_${++this.#served}`,
      model: request.model,
      usage: { ...read, output: 0 },
    });
    const breakAt = fate === 'well' ? pieces.length : Math.floor(pieces.length / 2);
    let owedMs = 0;
    for (const [at, piece] of pieces.entries()) {
      if (at === breakAt) return { kind: fate === 'cut' ? 'cut' : 'malformed' };
      owedMs += (piece.tokens * 1000) / this.#options.decodeRate;
      if (owedMs >= TICK_MS) {
        await this.#pass(owedMs, signal);
        owedMs = 0;
      }
      if (signal.aborted) return { kind: 'left' };
      emit(piece.event);
    }
    this.allowance.wrote(written, { bound: request.maxOutput }, this.#clock.now());
    emit({ kind: 'end', stop: said.stop, usage: { ...read, output: written } });
    return { kind: 'done' };
  }

  #pass(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.#clock.after(ms, done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
