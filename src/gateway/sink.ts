import type { ServerResponse } from 'node:http';
import type { ResponseSink, TransformName } from '../base/model.ts';
import { LIMITS } from './limits.ts';

/** How a client that waits for a stream is kept: with what, after how long, how often. */
export interface Heartbeat {
  readonly bytes: Uint8Array;
  readonly quietMs: number;
  readonly everyMs: number;
}

/**
 * The client's side of one answer: heads once, bytes with back-pressure. Headers of the upstream pass unchanged;
 * `extra` collects mezz's own, which every answer carries, an error too. A client that waits long for a stream gets the
 * head of one, and heartbeats: whatever its call comes to is then told inside the stream.
 */
export class HttpSink implements ResponseSink {
  readonly #response: ServerResponse;
  readonly #extra: readonly string[];
  readonly #heartbeat: Heartbeat | undefined;
  #transforms: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  headSent = false;
  /** The answer's own head has come. */
  begun = false;
  /** The body has a content coding: nothing of mezz's own can be put into it. */
  encoded = false;
  /** What was written last ended an event: a heartbeat behind it cuts none in two. */
  #isBetween = true;

  constructor(response: ServerResponse, extra: readonly string[], heartbeat?: Heartbeat) {
    this.#response = response;
    this.#extra = extra;
    this.#heartbeat = heartbeat;
  }

  waits(isWaiting: boolean): void {
    clearTimeout(this.#timer);
    const { quietMs = 0, everyMs = 0 } = this.#heartbeat ?? {};
    if (isWaiting && this.#heartbeat) this.#beatAfter(this.headSent ? everyMs : quietMs);
  }

  #beatAfter(delayMs: number): void {
    this.#timer = setTimeout(() => {
      const { bytes, everyMs } = this.#heartbeat as Heartbeat;
      if (this.#response.destroyed || !this.#canBeat) return;
      if (!this.headSent) this.#sendHead(200, STREAM_HEAD);
      this.#response.write(bytes);
      this.#beatAfter(everyMs);
    }, delayMs).unref();
  }

  /** Before its answer has begun; and in it where the call stands still between two events of a stream. */
  get #canBeat(): boolean {
    return !this.begun || (!this.encoded && this.#isBetween);
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
    if (this.begun || this.#response.destroyed) return;
    this.begun = true;
    this.encoded = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-encoding');
    if (!this.headSent) this.#sendHead(status, headers);
    // The client was told of plain bytes.
    else if (this.encoded) this.#response.destroy();
  }

  #sendHead(status: number, headers: readonly string[]): void {
    this.headSent = true;
    this.#response.writeHead(status, [...headers, ...this.own] as unknown as Record<string, string>);
    this.#response.flushHeaders();
  }

  write(bytes: Uint8Array): boolean {
    if (this.#response.destroyed) return true;
    this.#isBetween = bytes[bytes.length - 1] === LF && bytes[bytes.length - 2] === LF;
    return this.#response.write(bytes);
  }

  /** An answer of which nothing was sent yet: its headers and its body leave together. */
  whole(status: number, headers: readonly string[], body: Uint8Array): void {
    if (this.#response.destroyed) return;
    this.headSent = true;
    const all = [...headers, 'content-length', String(body.length), ...this.#extra, ...this.#transforms];
    this.#response.writeHead(status, all as unknown as Record<string, string>);
    if (body.length > LIMITS.joinedBytes.value) return void this.#response.end(body);
    // One character a byte: node joins a text to the head, and one write takes both.
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
    this.#response.end(bytes.toString('latin1'), 'latin1');
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

const LF = 0x0a;
const STREAM_HEAD = ['content-type', 'text/event-stream', 'cache-control', 'no-cache'];

/** Names that clients chose may hold what no header may. */
const headerText = (text: string): string =>
  text.replace(/[^\x20-\x7e]/g, '?').slice(0, LIMITS.lossHeader.value);
