import type { ServerResponse } from 'node:http';
import type { ResponseSink } from '../base/model.ts';

/** The client's side of one answer: heads once, bytes with back-pressure. Headers of the upstream pass unchanged. */
export class HttpSink implements ResponseSink {
  readonly #response: ServerResponse;
  readonly #extra: readonly string[];
  headSent = false;

  constructor(response: ServerResponse, extra: readonly string[]) {
    this.#response = response;
    this.#extra = extra;
  }

  head(status: number, headers: readonly string[]): void {
    if (this.headSent || this.#response.destroyed) return;
    this.headSent = true;
    this.#response.writeHead(status, [...headers, ...this.#extra] as unknown as Record<string, string>);
    this.#response.flushHeaders();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#response.destroyed) return true;
    return this.#response.write(bytes);
  }

  drained(): Promise<void> {
    if (this.#response.destroyed || !this.#response.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#response.off('drain', done);
        this.#response.off('close', done);
        resolve();
      };
      this.#response.once('drain', done);
      this.#response.once('close', done);
    });
  }
}
