import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { StoreError } from '../store.ts';
import { type FailureData, fromData } from './failure.ts';

interface Answer {
  /** What the worker says of itself when it is ready. */
  readonly ready?: unknown;
  readonly id?: number;
  readonly value?: unknown;
  readonly failure?: FailureData;
}

/** Questions to one worker and their answers, in order. A worker that dies fails every open question. */
export class Channel {
  readonly #worker: Worker;
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(error: StoreError): void }>();
  #next = 1;
  #dead: StoreError | undefined;
  #ending = false;
  /** What the worker said of itself when it was ready. */
  said: unknown;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /** `onDeath` is called once if the worker ends although nobody asked it to. */
  static start(
    name: 'writer' | 'reader',
    data: unknown,
    onDeath: (error: StoreError) => void = () => {},
  ): Promise<Channel> {
    // Literal names: the build finds them and packs the workers as files of their own.
    const writer = new URL('./writer.ts', import.meta.url);
    const reader = new URL('./reader.ts', import.meta.url);
    const worker = new Worker(name === 'writer' ? writer : reader, { workerData: data, env: threadEnv() });
    const channel = new Channel(worker);
    return new Promise((resolve, reject) => {
      worker.on('message', (answer: Answer) => {
        if (answer.ready !== undefined) {
          channel.said = answer.ready;
          resolve(channel);
        } else if (answer.id === undefined) {
          reject(fromData(answer.failure as FailureData));
          channel.#ending = true;
          void worker.terminate();
        } else channel.#settle(answer.id, answer);
      });
      const fail = (why: string) => {
        if (channel.#dead) return;
        channel.#dead = new StoreError('failed', why, 'see the log; mezz up starts again');
        for (const question of channel.#open.values()) question.reject(channel.#dead);
        channel.#open.clear();
        reject(channel.#dead);
        if (!channel.#ending) onDeath(channel.#dead);
      };
      worker.on('error', (error) => fail(`the ${name} died: ${String(error)}`));
      worker.on('exit', () => fail(`the ${name} has ended`));
    });
  }

  /** `transfer`: memory that goes over to the worker instead of being copied. */
  ask(question: Record<string, unknown>, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    if (this.#dead) return Promise.reject(this.#dead);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#worker.postMessage({ ...question, id }, transfer);
    });
  }

  #settle(id: number, answer: Answer): void {
    const question = this.#open.get(id);
    this.#open.delete(id);
    if (answer.failure) question?.reject(fromData(answer.failure));
    else question?.resolve(answer.value);
  }

  /** Ends the worker, after a last question if there is one. */
  async end(last?: Record<string, unknown>): Promise<void> {
    this.#ending = true;
    if (last) await this.ask(last).catch(() => undefined);
    await this.#worker.terminate();
  }
}

/** The process's environment; with its cache of compiled code, or each thread would compile its files anew. */
function threadEnv(): NodeJS.ProcessEnv {
  const cache = getCompileCacheDir();
  return cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) };
}
