/**
 * One HTTP exchange with a tool server: a message goes out, and what comes back, one message or a stream of them, is
 * heard as it comes. Invariant: what was never sent is told apart from what was sent and not answered.
 */
import type { Dispatcher } from 'undici';
import type Pool from 'undici/lib/dispatcher/pool.js';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import { RPC, type RpcError, rpcError } from '../../base/mcp.ts';
import { SseSplitter } from '../../wire/sse.ts';
import { LIMITS } from '../limits.ts';
import { lazyPool } from '../pool.ts';
import type { Login } from './oauth.ts';

export interface Exchanged {
  readonly kind: 'exchanged';
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Of an answer that is no event stream. */
  readonly body: string;
  /** Where the stream can be taken up again, and after how long, as the server says. */
  readonly lastEventId: string | undefined;
  readonly retryMs: number | undefined;
}
/**
 * `unsent`: no byte of it reached the server. `cut`: some may have. `locked`: the server refused it for want of a login, and
 * did nothing.
 */
export type Outcome = Exchanged | { readonly kind: 'unsent' | 'cut' | 'locked'; readonly why: string };

export interface Sending {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly message?: JsonRecord;
  readonly signal?: AbortSignal | undefined;
  /** The answer's headers, before anything of it is heard. */
  head?(headers: Exchanged['headers']): void;
  hear(message: JsonRecord): void;
}

const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT', 'EHOSTUNREACH']);

export class Link {
  readonly #pool: () => Pool;
  readonly #path: string;
  readonly #login: Login | undefined;

  constructor(url: string, login: Login | undefined) {
    const { origin, pathname, search } = new URL(url);
    this.#path = pathname + search;
    this.#login = login;
    this.#pool = lazyPool(origin, {
      connections: LIMITS.connections.value,
      // A call may take long and be silent: whoever waits for it decides for how long.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: LIMITS.connectMs.value },
    });
  }

  /** What is refused for want of a login is sent once more where there is a new one. */
  async exchange(sending: Sending): Promise<Outcome> {
    const login = this.#login;
    if (!login) return this.#exchange(sending);
    for (let isLast = false; ; isLast = true) {
      const { token } = login;
      const outcome = await this.#exchange(sending, login, token);
      if (outcome.kind !== 'exchanged') return outcome;
      const wanted = wantedLogin(outcome.status, outcome.headers);
      if (wanted === undefined) return outcome;
      if (!(await login.renew(outcome.status, wanted, token)) || isLast)
        return { kind: 'locked', why: `HTTP ${outcome.status}` };
    }
  }

  #exchange(sending: Sending, login?: Login, token?: string): Promise<Outcome> {
    const { method, headers, message } = sending;
    const body = message === undefined ? null : JSON.stringify(message);
    return new Promise((resolve) => {
      const answering = new Answering(sending, login, token, resolve);
      const request = {
        path: this.#path,
        method,
        headers: {
          accept: 'application/json, text/event-stream',
          ...(body === null ? {} : { 'content-type': 'application/json' }),
          ...headers,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body,
      };
      if (!answering.isOver) this.#pool().dispatch(request, answering);
    });
  }

  async close(): Promise<void> {
    await this.#pool().destroy();
  }
}

/** One request on its way and its answer, heard as it comes. */
class Answering implements Dispatcher.DispatchHandler {
  readonly #sending: Sending;
  readonly #login: Login | undefined;
  readonly #token: string | undefined;
  readonly #resolve: (outcome: Outcome) => void;
  readonly #leave = () => this.#break(new Error('nobody waits for the answer any more'));
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: Exchanged['headers'] = {};
  #hear: Sending['hear'] = () => {};
  #events: SseSplitter | undefined;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #lastEventId: string | undefined;
  #retryMs: number | undefined;
  isOver = false;

  constructor(
    sending: Sending,
    login: Login | undefined,
    token: string | undefined,
    resolve: (outcome: Outcome) => void,
  ) {
    this.#sending = sending;
    this.#login = login;
    this.#token = token;
    this.#resolve = resolve;
    const { signal } = sending;
    if (signal?.aborted) this.#leave();
    else signal?.addEventListener('abort', this.#leave, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.isOver) controller.abort(new Error('cancelled'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Exchanged['headers'],
  ): void {
    if (status < 200 || this.isOver) return;
    this.#status = status;
    this.#headers = headers;
    const isLocked = this.#login && wantedLogin(status, headers) !== undefined;
    if (!isLocked) this.#hear = this.#sending.hear;
    this.#sending.head?.(headers);
    if (String(headers['content-type'] ?? '').includes('text/event-stream')) this.#events = new SseSplitter();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.isOver) return;
    if (this.#events) return this.#hearEvents(this.#events, chunk);
    this.#size += chunk.length;
    if (this.#size > LIMITS.toolLine.value)
      return this.#break(new Error('the answer is larger than the bound on it'));
    // Copied: the memory is the connection's.
    this.#chunks.push(Buffer.from(chunk));
  }

  onResponseEnd(): void {
    if (this.isOver) return;
    const [first = EMPTY, ...more] = this.#chunks;
    const bytes = more.length === 0 ? first : Buffer.concat(this.#chunks);
    const body = this.#events ? '' : this.#clean(bytes.toString('utf8'));
    const whole = body === '' ? undefined : parseJson(body);
    if (isRecord(whole)) this.#hear(whole);
    this.#end(body);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // A stream that can be taken up again has not failed by being cut.
    if (this.#lastEventId === undefined) this.#break(error);
    else this.#end('');
  }

  #hearEvents(events: SseSplitter, chunk: Buffer): void {
    for (const { bytes, data } of events.push(chunk)) {
      const fields = bytes.toString('utf8');
      this.#lastEventId = /^id: ?(.*?)\r?$/m.exec(fields)?.[1] ?? this.#lastEventId;
      const retry = /^retry: ?(\d{1,7})\r?$/m.exec(fields)?.[1];
      if (retry !== undefined) this.#retryMs = Number(retry);
      const message = data === '' ? undefined : parseJson(this.#clean(data));
      if (isRecord(message)) this.#hear(message);
    }
    if (events.restBytes > LIMITS.toolLine.value) this.#end('');
  }

  #clean(text: string): string {
    return this.#token === undefined ? text : (this.#login?.clean(text) ?? text);
  }

  #end(body: string): void {
    const [status, headers] = [this.#status, this.#headers];
    const [lastEventId, retryMs] = [this.#lastEventId, this.#retryMs];
    this.#settle({ kind: 'exchanged', status, headers, body, lastEventId, retryMs });
  }

  #break(error: Error): void {
    const { code, message: why } = error as NodeJS.ErrnoException;
    this.#settle({ kind: UNSENT.has(code ?? '') ? 'unsent' : 'cut', why });
  }

  #settle(outcome: Outcome): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#sending.signal?.removeEventListener('abort', this.#leave);
    this.#resolve(outcome);
    // Of an answer that came whole nothing is left to break off.
    if (outcome.kind !== 'exchanged' || this.#events) this.#controller?.abort(new Error('not read on'));
  }
}

const EMPTY = Buffer.alloc(0);

/** Why it wants a login, in its own words, where it refuses for want of one; undefined where it does not. */
function wantedLogin(status: number, { 'www-authenticate': said }: Exchanged['headers']): string | undefined {
  const header = String(said ?? '');
  return status === 401 || (status === 403 && header.includes('insufficient_scope')) ? header : undefined;
}

/** Of a stream of what a server says unasked: it offers one, and only the connection ended. */
export const isReopened = (outcome: Outcome): boolean =>
  outcome.kind === 'exchanged' ? outcome.status === 200 : outcome.kind !== 'locked';

/** What a server refuses in HTTP's own words. */
export const httpError = ({ status, body }: Exchanged): { readonly error: RpcError } =>
  rpcError(RPC.internal, `HTTP ${status} ${body.slice(0, LIMITS.toolHttpError.value)}`.trim());
