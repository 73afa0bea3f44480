/**
 * The answer to one MCP request: one JSON message, or a stream of events from the moment that something must be said
 * before the end. Invariant: it ends once, and says nothing after that.
 */
import type { ServerResponse } from 'node:http';
import type { CallId } from '../../base/ids.ts';
import type { Json, JsonRecord } from '../../base/json.ts';
import { RPC, type RpcReply } from '../../base/mcp.ts';
import { encodeEvent } from '../../wire/sse.ts';
import type { Kernel } from '../kernel.ts';
import { LIMITS } from '../limits.ts';

export interface Beats {
  /** Silence after which the client is told that its call still runs, and how often from then on, ms. */
  readonly quietMs: number;
  readonly heartbeatMs: number;
}

const STREAM = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
};
const COMMENT = ': \n\n';

export const messageOf = (id: Json | undefined, reply: RpcReply): JsonRecord => ({
  jsonrpc: '2.0',
  ...(id === undefined ? {} : { id }),
  ...reply,
});

/** What a request needs of its answer, also where that leaves together with those of others. */
export type Part = Pick<Answer, 'canTell' | 'tell' | 'onLeft' | 'report' | 'end'>;

export class Answer {
  readonly #response: ServerResponse;
  readonly #headers: Record<string, string>;
  readonly #streams: boolean;
  readonly #beats: Beats;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  readonly #onLeft: ((isCut: boolean) => void)[] = [];

  /** `streams`: the client reads events. */
  constructor(
    response: ServerResponse,
    streams: boolean,
    beats: Beats,
    headers: Record<string, string> = {},
  ) {
    this.#response = response;
    this.#streams = streams;
    this.#headers = headers;
    this.#beats = beats;
    response.once('close', () => {
      const isCut = !this.#isOver;
      this.#isOver = true;
      clearTimeout(this.#timer);
      for (const task of this.#onLeft) task(isCut);
    });
    if (streams) this.#beatAfter(beats.quietMs);
  }

  /** `task` runs when the connection of this answer closes, and is told whether that was before its end. */
  onLeft(task: (isCut: boolean) => void): void {
    this.#onLeft.push(task);
  }

  /** Can anything be said before the end? */
  get canTell(): boolean {
    return this.#streams && !this.#isOver;
  }

  /** A notification is not kept for a client that does not read what it was told before; a question is. */
  tell(message: JsonRecord): void {
    if (!this.canTell) return;
    if (message.id === undefined && this.#response.writableLength > LIMITS.toldBytes.value) return;
    this.begin();
    this.#response.write(encodeEvent('message', JSON.stringify({ jsonrpc: '2.0', ...message })));
  }

  /** The head of a stream leaves now. */
  begin(): void {
    if (!this.#response.headersSent)
      this.#response.writeHead(200, { ...STREAM, ...this.#headers }).flushHeaders();
  }

  end(id: Json | undefined, reply: RpcReply, status = statusOf(reply)): void {
    this.#finish([messageOf(id, reply)], (text) => text, status);
  }

  /** The answers to a batch: an array of them, or the last events of a stream that has begun. */
  endAll(replies: readonly JsonRecord[]): void {
    this.#finish(replies, (texts) => `[${texts}]`, 200);
  }

  /** One of the answers that leave together; `ended` gets it. */
  part(ended: (id: Json | undefined, reply: RpcReply) => void): Part {
    const canTell = () => this.canTell;
    return {
      get canTell() {
        return canTell();
      },
      tell: (message) => this.tell(message),
      onLeft: (task) => this.onLeft(task),
      report: (kernel, call) => this.report(kernel, call),
      end: ended,
    };
  }

  /** Tells the kernel whether this answer, which is that of a call, left whole. */
  report(kernel: Kernel, call: CallId | undefined): void {
    if (call === undefined) return;
    const tell = () => kernel.told(call, this.#response.writableFinished);
    if (this.#response.closed) tell();
    else this.onLeft(tell);
  }

  close(): void {
    this.#response.end();
  }

  #finish(replies: readonly JsonRecord[], joined: (texts: string) => string, status: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    const texts = replies.map((reply) => JSON.stringify(reply));
    if (this.#response.headersSent)
      return void this.#response.end(texts.map((text) => encodeEvent('message', text)).join(''));
    const text = joined(texts.join(','));
    this.#response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      ...this.#headers,
    });
    // As a text: node joins it to the head, and one write takes both.
    this.#response.end(text);
  }

  #beatAfter(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.begin();
      this.#response.write(COMMENT);
      this.#beatAfter(this.#beats.heartbeatMs);
    }, delayMs).unref();
  }
}

/** In the newer era some errors have an HTTP status of their own; the older one knows none of their codes. */
function statusOf(reply: RpcReply): number {
  if (!('error' in reply)) return 200;
  return reply.error.code <= RPC.headerMismatch && reply.error.code >= -32099 ? 400 : 200;
}
