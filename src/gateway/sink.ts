import type { ServerResponse } from 'node:http';
import type { ResponseSink, TransformName } from '../base/model.ts';
import { LIMITS } from './limits.ts';

/**
 * The client's side of one answer: heads once, bytes with back-pressure. Headers of the upstream pass unchanged;
 * `extra` collects mezz's own, which every answer carries, an error too.
 */
export class HttpSink implements ResponseSink {
  readonly #response: ServerResponse;
  readonly #extra: readonly string[];
  #transforms: string[] = [];
  headSent = false;
  /** The body has a content coding: nothing of mezz's own can be put into it. */
  encoded = false;

  constructor(response: ServerResponse, extra: readonly string[]) {
    this.#response = response;
    this.#extra = extra;
  }

  /** A call that is sent again says it again: the last is what was answered. */
  transformed(names: readonly TransformName[], losses: readonly string[]): void {
    this.#transforms = ['x-mezz-transforms', names.join(', ')];
    if (losses.length > 0) this.#transforms.push('x-mezz-losses', headerText(losses.join(', ')));
  }

  /** mezz's own headers of this answer. */
  get own(): readonly string[] {
    return [...this.#extra, ...this.#transforms];
  }

  head(status: number, headers: readonly string[]): void {
    if (this.headSent || this.#response.destroyed) return;
    this.headSent = true;
    this.encoded = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-encoding');
    this.#response.writeHead(status, [...headers, ...this.own] as unknown as Record<string, string>);
    this.#response.flushHeaders();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#response.destroyed) return true;
    return this.#response.write(bytes);
  }

  /** An answer of which nothing was sent yet: its headers and its body leave together. */
  whole(status: number, headers: readonly string[], body: Uint8Array): void {
    if (this.#response.destroyed) return;
    this.headSent = true;
    const all = [...headers, 'content-length', String(body.length), ...this.own];
    this.#response.writeHead(status, all as unknown as Record<string, string>);
    this.#response.end(body);
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

/** Names that clients chose may hold what no header may. */
const headerText = (text: string): string =>
  text.replace(/[^\x20-\x7e]/g, '?').slice(0, LIMITS.lossHeader.value);
