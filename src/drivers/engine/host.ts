/**
 * One loaded model: its child process, started when it is first needed. Invariant: every job ends, whatever becomes of the
 * child; one that died is started again by a later job, after a pause that grows while it keeps dying.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../base/clock.ts';
import type { JsonRecord } from '../../base/json.ts';
import type { NeutralEvent } from '../../wire/neutral.ts';
import { LIMITS } from '../limits.ts';
import type { FromChild, Job, JobRefusal, Opening, ToChild } from './protocol.ts';

/** How a job ended. `died`: the child did, and what came so far is all there is. */
export type JobEnd =
  | { readonly kind: 'done'; readonly result: JsonRecord }
  | { readonly kind: 'refused'; readonly refusal: JobRefusal; readonly retryAfterMs?: number }
  | { readonly kind: 'died'; readonly message: string };

/** What was stopped between two steps of the model, and after how many steps from the word on. */
export interface Suspended {
  readonly steps: number;
}

interface Running {
  readonly emit: (events: readonly NeutralEvent[]) => void;
  readonly end: (end: JobEnd) => void;
  /** The child has it. */
  sent: boolean;
  /** Told when it has stopped; undefined while it may run. */
  suspended: ((suspended: Suspended) => void) | undefined;
}

/** A job that was begun. */
export interface EngineJob {
  /** Never rejects. */
  readonly ended: Promise<JobEnd>;
  /** Stops it before its next step; never settles where it ends before that. */
  suspend(): Promise<Suspended>;
  proceed(): void;
}

const ENTRY = fileURLToPath(new URL('./child.ts', import.meta.url));

export class EngineHost {
  readonly #opening: Opening;
  readonly #clock: Clock;
  #child: ChildProcess | undefined;
  #ready: Promise<string | undefined> | undefined;
  readonly #running = new Map<number, Running>();
  #jobs = 0;
  #lastWords = '';
  #unusable: string | undefined;
  #phase = '';
  /** Deaths since it last answered, what the last one was, and until when nothing is tried. */
  #deaths = 0;
  #trouble = '';
  #pausedUntil = 0;
  #closed = false;
  usedAt: number;

  constructor(opening: Opening, clock: Clock) {
    this.#opening = opening;
    this.#clock = clock;
    this.usedAt = clock.now();
  }

  get busy(): boolean {
    return this.#running.size > 0;
  }

  /** The child's process id, while there is one. */
  get osPid(): number | undefined {
    return this.#child?.pid;
  }

  /** Begins one job. A signal that is aborted ends it between two tokens. */
  run(job: Job, emit: (events: readonly NeutralEvent[]) => void, signal: AbortSignal): EngineJob {
    const id = ++this.#jobs;
    const { promise, resolve: end } = Promise.withResolvers<JobEnd>();
    const running: Running = { emit, end, sent: false, suspended: undefined };
    this.#running.set(id, running);
    return {
      ended: this.#perform(id, job, running, promise, signal),
      suspend: () =>
        new Promise((resolve) => {
          running.suspended = resolve;
          if (running.sent) this.#send({ kind: 'suspend', id });
        }),
      proceed: () => {
        running.suspended = undefined;
        if (running.sent) this.#send({ kind: 'proceed', id });
      },
    };
  }

  async #perform(
    id: number,
    job: Job,
    running: Running,
    ended: Promise<JobEnd>,
    signal: AbortSignal,
  ): Promise<JobEnd> {
    this.usedAt = this.#clock.now();
    const stop = () => this.#send({ kind: 'stop', id });
    signal.addEventListener('abort', stop, { once: true });
    try {
      const waitMs = this.#pausedUntil - this.#clock.now();
      if (waitMs > 0) return { ...unusable(this.#trouble), retryAfterMs: waitMs };
      this.#ready ??= this.#start();
      const trouble = await this.#ready;
      if (trouble !== undefined) return unusable(trouble);
      this.#send({ kind: 'job', id, job });
      running.sent = true;
      if (running.suspended) this.#send({ kind: 'suspend', id });
      if (signal.aborted) stop();
      return await ended;
    } finally {
      signal.removeEventListener('abort', stop);
      this.#running.delete(id);
      this.usedAt = this.#clock.now();
    }
  }

  /** Ends the child; jobs that run end with it. */
  close(): void {
    this.#closed = true;
    this.#child?.kill('SIGKILL');
  }

  #send(message: ToChild): void {
    // A child that is gone gets nothing; its jobs are ended by its exit.
    if (this.#child?.connected) this.#child.send(message, () => {});
  }

  /** Starts the child; undefined when it is ready, else why it never will be. */
  #start(): Promise<string | undefined> {
    // Nothing of the kernel's environment: it may hold keys, and the engine needs none.
    const env = { GGML_NO_BACKTRACE: '1' };
    const child = fork(ENTRY, [], { env, execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#child = child;
    this.#lastWords = '';
    this.#unusable = undefined;
    this.#phase = 'while its library was loaded';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-LIMITS.engineLastWordsCharacters.value);
    });
    return new Promise((resolve) => {
      const within = (ms: number) => this.#clock.after(ms, () => child.kill('SIGKILL'));
      // Loading a model may take minutes; a library that says nothing so long hangs.
      let cancel = within(LIMITS.engineLibraryMs.value);
      const settle = (trouble: string | undefined) => {
        cancel();
        resolve(trouble);
      };
      child.on('message', (message: FromChild) => {
        if (message.kind === 'loading') {
          this.#phase = 'while it loaded this model';
          cancel();
          cancel = within(LIMITS.engineOpenMs.value);
        } else if (message.kind === 'ready') {
          this.#phase = 'while it worked';
          settle(undefined);
        } else if (message.kind === 'unusable') {
          this.#unusable = message.message;
          child.kill('SIGKILL');
        } else this.#hear(message);
      });
      child.on('error', (error) => {
        this.#lastWords = error.message;
      });
      child.on('close', (code, signal) => settle(this.#end(code, signal)));
      this.#send({ kind: 'open', ...this.#opening });
    });
  }

  #hear(message: Extract<FromChild, { id: number }>): void {
    const running = this.#running.get(message.id);
    if (!running) return;
    if (message.kind === 'events') return running.emit(message.events);
    if (message.kind === 'suspended') return running.suspended?.({ steps: message.steps });
    // It lives and works: what was is past.
    this.#deaths = 0;
    if (message.kind === 'refused') running.end({ kind: 'refused', refusal: message.refusal });
    else running.end({ kind: 'done', result: message.result ?? {} });
  }

  /** The child is gone: its jobs end, and the next waits a while. Says why. */
  #end(code: number | null, signal: NodeJS.Signals | null): string {
    const message = this.#closed ? 'The engine was closed.' : this.#whyEnded(signal ?? `exit ${code}`);
    this.#child = undefined;
    this.#ready = undefined;
    this.#trouble = message;
    const pauseMs = LIMITS.engineFirstPauseMs.value * 2 ** Math.min(this.#deaths++, 16);
    this.#pausedUntil = this.#clock.now() + Math.min(pauseMs, LIMITS.engineLongestPauseMs.value);
    for (const { end } of this.#running.values()) end({ kind: 'died', message });
    return message;
  }

  #whyEnded(how: string): string {
    if (this.#unusable !== undefined) return `The engine cannot load this model: ${this.#unusable}`;
    return `The engine died ${this.#phase} (${how})${lastLine(this.#lastWords)}`;
  }
}

/** The last line that says something: what a library prints before it aborts comes last. */
function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1)?.trim();
  return line ? `: ${line}` : '';
}

const unusable = (message: string): Extract<JobEnd, { kind: 'refused' }> => ({
  kind: 'refused',
  refusal: { status: 422, message },
});
