/**
 * One HTTP exchange with a tool server: a message goes out, and what comes back, one message or a stream of them, is
 * heard as it comes. Invariant: what was never sent is told apart from what was sent and not answered.
 */
import type { Dispatcher } from 'undici';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import { RPC, type RpcError, rpcError } from '../../base/mcp.ts';
import { SseSplitter } from '../../wire/sse.ts';
import { LIMITS } from '../limits.ts';
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
  readonly #url: string;
  readonly #login: Login | undefined;
  #agent: Promise<Dispatcher> | undefined;

  constructor(url: string, login: Login | undefined) {
    this.#url = url;
    this.#login = login;
  }

  /** The library loads with the first message: a kernel without such servers starts without it. */
  #client(): Promise<Dispatcher> {
    this.#agent ??= import('undici').then(
      ({ Agent }) =>
        new Agent({
          connections: LIMITS.connections.value,
          // A call may take long and be silent: whoever waits for it decides for how long.
          headersTimeout: 0,
          bodyTimeout: 0,
          connect: { timeout: LIMITS.connectMs.value },
        }),
    );
    return this.#agent;
  }

  /** What is refused for want of a login is sent once more where there is a new one. */
  async exchange(sending: Sending): Promise<Outcome> {
    for (let isLast = false; ; isLast = true) {
      const token = this.#login?.token;
      const outcome = await this.#exchange(sending, token);
      if (outcome.kind !== 'exchanged' || !this.#login) return outcome;
      const wanted = wantedLogin(outcome.status, outcome.headers);
      if (wanted === undefined) return outcome;
      if (!(await this.#login.renew(outcome.status, wanted, token)) || isLast)
        return { kind: 'locked', why: `HTTP ${outcome.status}` };
    }
  }

  async #exchange(sending: Sending, token: string | undefined): Promise<Outcome> {
    const { method, headers, message, signal, head } = sending;
    const { origin, pathname, search } = new URL(this.#url);
    const body = message === undefined ? null : JSON.stringify(message);
    try {
      const client = await this.#client();
      const answer = await client.request({
        origin,
        path: pathname + search,
        method,
        headers: {
          accept: 'application/json, text/event-stream',
          ...(body === null ? {} : { 'content-type': 'application/json' }),
          ...headers,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body,
        ...(signal ? { signal } : {}),
      });
      const isLocked = this.#login && wantedLogin(answer.statusCode, answer.headers) !== undefined;
      const hear = isLocked ? () => {} : sending.hear;
      const clean = (text: string) => (token === undefined ? text : (this.#login?.clean(text) ?? text));
      head?.(answer.headers);
      const type = String(answer.headers['content-type'] ?? '');
      const read = type.includes('text/event-stream')
        ? await readEvents(answer.body, hear, clean)
        : { body: clean(await readWhole(answer.body)), lastEventId: undefined, retryMs: undefined };
      const whole = read.body === '' ? undefined : parseJson(read.body);
      if (isRecord(whole)) hear(whole);
      return { kind: 'exchanged', status: answer.statusCode, headers: answer.headers, ...read };
    } catch (error) {
      const { code, message: why } = error as NodeJS.ErrnoException;
      return { kind: UNSENT.has(code ?? '') ? 'unsent' : 'cut', why };
    }
  }

  async close(): Promise<void> {
    await (await this.#agent)?.destroy();
  }
}

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

async function readWhole(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > LIMITS.toolLine.value) throw new Error('the answer is larger than the bound on it');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function readEvents(
  body: AsyncIterable<Buffer>,
  hear: (message: JsonRecord) => void,
  clean: (text: string) => string,
): Promise<Pick<Exchanged, 'body' | 'lastEventId' | 'retryMs'>> {
  const splitter = new SseSplitter();
  let lastEventId: string | undefined;
  let retryMs: number | undefined;
  try {
    for await (const chunk of body) {
      for (const { bytes, data } of splitter.push(chunk)) {
        const fields = bytes.toString('utf8');
        lastEventId = /^id: ?(.*?)\r?$/m.exec(fields)?.[1] ?? lastEventId;
        const retry = /^retry: ?(\d{1,7})\r?$/m.exec(fields)?.[1];
        if (retry !== undefined) retryMs = Number(retry);
        const message = data === '' ? undefined : parseJson(clean(data));
        if (isRecord(message)) hear(message);
      }
      if (splitter.restBytes > LIMITS.toolLine.value) break;
    }
  } catch (error) {
    // A stream that can be taken up again has not failed by being cut.
    if (lastEventId === undefined) throw error;
  }
  return { body: '', lastEventId, retryMs };
}
