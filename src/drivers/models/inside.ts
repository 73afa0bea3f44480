/** An upstream inside the kernel: it answers an exchange as a server would, without a connection. */
import type { Dispatcher } from 'undici';
import type { JsonRecord } from '../../base/json.ts';
import type { Exchange } from './exchange.ts';

type Controller = Dispatcher.DispatchController;

export class InsideUpstream {
  readonly #exchange: Exchange;
  readonly #controller: Controller;
  readonly #gone = new AbortController();
  #waiting: Uint8Array[] = [];
  #paused = false;
  #ended = false;
  #failure: Error | undefined;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    const gone = this.#gone;
    const paused = () => this.#paused;
    this.#controller = {
      get aborted() {
        return gone.signal.aborted;
      },
      get reason() {
        return gone.signal.reason as Error | null;
      },
      get paused() {
        return paused();
      },
      abort: (reason) => gone.abort(reason),
      pause: () => {
        this.#paused = true;
      },
      resume: () => this.#resume(),
    } as Controller;
    exchange.onRequestStart(this.#controller);
  }

  /** Aborted when nobody waits for this answer any more. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  /** It says nothing for a while, and that is meant so. */
  suspend(isSuspended: boolean): void {
    this.#exchange.suspend(isSuspended);
  }

  head(status: number, headers: Readonly<Record<string, string>>): void {
    if (!this.signal.aborted) this.#exchange.onResponseStart(this.#controller, status, headers);
  }

  write(bytes: Uint8Array): void {
    if (this.signal.aborted) return;
    if (this.#paused) this.#waiting.push(bytes);
    else this.#exchange.onResponseData(this.#controller, Buffer.from(bytes));
  }

  /** The answer is whole. */
  end(): void {
    this.#ended = true;
    this.#settle();
  }

  /** The answer breaks off here. */
  fail(message: string): void {
    this.#failure = new Error(message);
    this.#settle();
  }

  /** A whole answer that is not streamed. */
  json(status: number, body: JsonRecord, headers: Readonly<Record<string, string>> = {}): void {
    this.head(status, { 'content-type': 'application/json', ...headers });
    this.write(Buffer.from(JSON.stringify(body)));
    this.end();
  }

  #resume(): void {
    this.#paused = false;
    while (!this.#paused && this.#waiting.length > 0) this.write(this.#waiting.shift() as Uint8Array);
    this.#settle();
  }

  #settle(): void {
    if (this.signal.aborted || this.#paused || this.#waiting.length > 0) return;
    if (this.#failure) this.#exchange.onResponseError(this.#controller, this.#failure);
    else if (this.#ended) this.#exchange.onResponseEnd();
  }
}
