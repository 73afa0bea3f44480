/**
 * MCP over standard input and output for clients that only start commands: each message goes to the kernel's endpoint as
 * the era that it speaks asks, and what comes back goes out as it came. It decides nothing and remembers what a session
 * needs. Invariant: every request is answered, also where the kernel is not.
 */
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import {
  encodeHeader,
  type HeaderParam,
  headerParams,
  headerValue,
  META,
  MODERN,
  RPC,
  rpcError,
  standardHeaders,
} from '../../base/mcp.ts';

// Not imported: an ES import of node:http reads all it exports, and one of them loads a second HTTP client (45 ms).
const { request: httpRequest, Agent } = process.getBuiltinModule('node:http');

const NO_SESSION = 404;
const STREAM = 'subscriptions/listen';
const recordOf = (value: unknown): JsonRecord => (isRecord(value) ? value : {});

/** One message, or a batch of them, which the kernel takes where the session's version has batches. */
type Line = JsonRecord | readonly Json[];

export class Bridge {
  readonly #url: string;
  readonly #output: Writable;
  readonly #agent = new Agent({ keepAlive: true });
  /** Requests of the newer era that run: there a message withdraws them, over HTTP the end of their connection. */
  readonly #running = new Map<string, { readonly cut: AbortController; readonly method: Json | undefined }>();
  readonly #answering = new Set<Promise<void>>();
  /** What the tools that were shown want repeated in headers. */
  readonly #marked = new Map<string, readonly HeaderParam[]>();
  #session: string | undefined;
  #hello: JsonRecord | undefined;
  #listening = new AbortController();

  constructor(url: string, output: Writable) {
    this.#url = url;
    this.#output = output;
    output.on('error', () => this.#leave());
  }

  /** Resolves when the input has ended, and what it asked is answered. */
  async serve(input: Readable): Promise<void> {
    for await (const line of createInterface({ input })) {
      const message = parseJson(line);
      // What comes behind the handshake belongs to the session that it opens.
      if (isRecord(message) && message.method === 'initialize') await this.#hear(message);
      else if (isRecord(message) || Array.isArray(message)) this.#take(message);
      else if (line.trim() !== '')
        this.#say({ jsonrpc: '2.0', ...rpcError(RPC.parseError, 'not one message') });
    }
    // What was asked is answered still; a stream never ends by itself.
    this.#listening.abort();
    for (const { cut, method } of this.#running.values()) if (method === STREAM) cut.abort();
    await Promise.all(this.#answering);
    if (this.#session !== undefined) await this.#post(undefined, 'DELETE').catch(() => {});
    this.#agent.destroy();
  }

  #take(message: Line): void {
    const answering = this.#hear(message).finally(() => this.#answering.delete(answering));
    this.#answering.add(answering);
  }

  /** Nobody hears the answers any more. */
  #leave(): void {
    for (const { cut } of this.#running.values()) cut.abort();
    this.#agent.destroy();
  }

  async #hear(message: Line): Promise<void> {
    const { id, method, params: given } = recordOf(message);
    const params = recordOf(given);
    const isNew = recordOf(params._meta)[META.version] === MODERN;
    if (method === 'notifications/cancelled' && this.#session === undefined)
      return this.#running.get(JSON.stringify(params.requestId))?.cut.abort();
    try {
      const status = await this.#exchange(message, isNew);
      if (status !== NO_SESSION || isNew || this.#hello === undefined) return;
      // The kernel was started anew and knows this session no more.
      await this.#exchange(this.#hello, false, true);
      await this.#exchange({ jsonrpc: '2.0', method: 'notifications/initialized' }, false);
      await this.#exchange(message, false);
    } catch (error) {
      if ((error as Error).name === 'AbortError') return;
      const why = `mezz cannot be reached: ${error instanceof Error ? error.message : String(error)}`;
      const asked = (Array.isArray(message) ? message : [message]).filter(isRequest);
      const replies = asked.map((one) => ({ jsonrpc: '2.0', id: one.id, ...rpcError(RPC.internal, why) }));
      if (Array.isArray(message) && replies.length > 0) this.#say(replies);
      else for (const reply of replies) this.#say(reply);
    } finally {
      this.#running.delete(JSON.stringify(id ?? null));
    }
  }

  /** `silently`: the client has the answer already. The status is that of HTTP; only a lost session says nothing else. */
  async #exchange(message: Line, isNew: boolean, silently = false): Promise<number> {
    const { id, method, params: given } = recordOf(message);
    const params = recordOf(given);
    const cut = new AbortController();
    if (isNew) this.#running.set(JSON.stringify(id ?? null), { cut, method });
    const headers = isNew ? this.#headersFor(String(method), params) : {};
    if (method === 'initialize') this.#session = undefined;
    const response = await this.#post(message, 'POST', headers, cut.signal);
    const status = response.statusCode ?? 0;
    const session = response.headers['mcp-session-id'];
    if (method === 'initialize' && typeof session === 'string') {
      this.#session = session;
      this.#hello = recordOf(message);
    }
    const isLost = status === NO_SESSION && !isNew && this.#hello !== undefined;
    for await (const answer of messagesOf(response)) {
      if (method === 'tools/list') this.#learn(recordOf(answer));
      if (!silently && !isLost) this.#say(answer);
    }
    if (method === 'notifications/initialized') void this.#listen();
    return isLost ? NO_SESSION : 200;
  }

  #headersFor(method: string, params: JsonRecord): Record<string, string> {
    const headers = standardHeaders(method, params);
    if (method !== 'tools/call') return headers;
    for (const { header, path } of this.#marked.get(String(params.name)) ?? []) {
      const value = headerValue(recordOf(params.arguments), path);
      if (value !== undefined) headers[header] = encodeHeader(value);
    }
    return headers;
  }

  #learn({ result }: JsonRecord): void {
    const { tools } = recordOf(result);
    for (const tool of Array.isArray(tools) ? tools.filter(isRecord) : []) {
      const marked = headerParams(tool.inputSchema);
      if (typeof marked !== 'string') this.#marked.set(String(tool.name), marked);
    }
  }

  /** What servers say unasked, for as long as the session lives. */
  async #listen(): Promise<void> {
    this.#listening.abort();
    this.#listening = new AbortController();
    try {
      const response = await this.#post(undefined, 'GET', {}, this.#listening.signal);
      if (response.statusCode === 200) for await (const message of messagesOf(response)) this.#say(message);
      else response.resume();
    } catch {
      // It ended, or the kernel did: the next request says so.
    }
  }

  #post(
    message: Line | undefined,
    method: string,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    const body = message === undefined ? undefined : Buffer.from(JSON.stringify(message));
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        this.#url,
        {
          method,
          agent: this.#agent,
          headers: {
            accept: 'application/json, text/event-stream',
            ...(body ? { 'content-type': 'application/json', 'content-length': body.length } : {}),
            ...(this.#session === undefined ? {} : { 'mcp-session-id': this.#session }),
            ...headers,
          },
          ...(signal ? { signal } : {}),
        },
        resolve,
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  #say(message: Json): void {
    this.#output.write(`${JSON.stringify(message)}\n`);
  }
}

const isRequest = (message: Json): message is JsonRecord & { readonly id: Json } =>
  isRecord(message) && message.id !== undefined && message.method !== undefined;

/** The messages of an answer: the one that it is, or those of its stream. */
async function* messagesOf(response: IncomingMessage): AsyncGenerator<Json> {
  const streams = response.headers['content-type']?.includes('event-stream') === true;
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk;
    if (!streams) continue;
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) yield* read(/^data: (.*)$/m.exec(event)?.[1]);
  }
  if (!streams) yield* read(text);
}

function* read(text: string | undefined): Generator<Json> {
  const message = text === undefined || text === '' ? undefined : parseJson(text);
  if (message !== undefined) yield message;
}
