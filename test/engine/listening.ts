/** A client that reads a stream of Chat or of Messages as it comes. */
import { type ClientRequest, request } from 'node:http';
import { SseSplitter } from '../../src/wire/sse.ts';
import type { Reply } from '../kernel.ts';

export class Listening {
  readonly ended: Promise<Reply>;
  readonly #request: ClientRequest;
  #all = Buffer.alloc(0);
  #waiting: (() => void)[] = [];

  constructor(url: string, body: string) {
    this.#request = request(url, { method: 'POST', headers: { 'content-type': 'application/json' } });
    this.ended = new Promise((resolve, reject) => {
      this.#request.on('error', reject).on('response', (response) => {
        response.on('error', reject).on('data', (chunk: Buffer) => {
          this.#all = Buffer.concat([this.#all, chunk]);
          for (const look of this.#waiting.splice(0)) look();
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: this.#all }),
        );
      });
    });
    // One that leaves hears no more.
    this.ended.catch(() => {});
    this.#request.end(body);
  }

  /** What the model has said so far. */
  get text(): string {
    return new SseSplitter()
      .push(this.#all)
      .map(({ data }) => /"(?:content|text)":"((?:[^"\\]|\\.)*)"/.exec(data)?.[1] ?? '')
      .join('');
  }

  /** All that came so far. */
  get raw(): string {
    return this.#all.toString();
  }

  /** Heartbeats so far. */
  get beats(): number {
    return this.raw.split(/: mezz|event: ping/).length - 1;
  }

  async until(holds: (now: Listening) => boolean): Promise<void> {
    while (!holds(this)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    this.#request.destroy();
  }
}
