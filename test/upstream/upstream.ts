/**
 * The scripted upstream: a real HTTP server on loopback that imitates the model APIs, answers as its script says and
 * keeps every request byte for byte. It can also fail in every way that an upstream fails.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { sha256Hex } from '../../src/base/hash.ts';
import { isRecord, type JsonRecord, parseJson } from '../../src/base/json.ts';
import type { Usage } from '../../src/base/usage.ts';
import {
  type Answer,
  chatBody,
  chatEvents,
  messagesBody,
  messagesEvents,
  offeredTools,
  responsesBody,
  responsesEvents,
} from './events.ts';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Flat, as received. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly sha256: string;
  /** The body as JSON, `{}` if it is none. */
  readonly json: JsonRecord;
  /** Counts the requests of this path from 0. */
  readonly turn: number;
  /** The client closed before the answer was complete. */
  readonly aborted: boolean;
}

export interface ToolCall {
  /** A pattern calls the first offered tool that matches, or none; a name is called as it is. */
  readonly name: RegExp | string;
  readonly args: JsonRecord;
  /** Made from the turn when absent. */
  readonly id?: string;
}

export interface Reply {
  /** Of the answer; made from the turn when absent. */
  readonly id?: string;
  readonly text?: string;
  readonly tools?: readonly ToolCall[];
  readonly usage?: Partial<Usage>;
  /** An error status, with the provider's error shape. */
  readonly status?: number;
  /** More response headers: retry-after, plan windows. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A body that is sent as it is instead of an answer; `type` is its content type. */
  readonly raw?: { readonly body: Buffer | string; readonly type: string };
  /** Ends the connection instead of the answer's rest; a number is the bytes of the body that still leave. */
  readonly cut?: 'before_headers' | 'mid_event' | number;
  /** One event that is not JSON in the middle of a stream. */
  readonly malformed?: boolean;
  /** Writes of this many bytes, whatever the events' bounds. */
  readonly chunkBytes?: number;
  /** Awaited before the head; a promise that never settles is an upstream that never answers. */
  readonly hold?: Promise<void>;
  /** Awaited before each write, for slow answers whose pace the test decides. */
  readonly pace?: (write: number) => Promise<void>;
}

export type Script = (request: SeenRequest) => Reply;

export interface Upstream {
  readonly origin: string;
  readonly requests: readonly SeenRequest[];
  /** Resolves when `count` requests have come. */
  seen(count: number): Promise<void>;
  /** The exact bytes of every answer, in the order of the requests. */
  readonly answers: readonly Buffer[];
  close(): Promise<void>;
}

type Mutable = { -readonly [K in keyof SeenRequest]: SeenRequest[K] };

export async function startUpstream(script: Script = () => ({})): Promise<Upstream> {
  const requests: Mutable[] = [];
  const answers: Buffer[] = [];
  const waiters: { count: number; resolve: () => void }[] = [];
  const server = createServer((incoming, response) => {
    void receive(incoming, requests).then((seen) => {
      if (!seen) return;
      for (const { count, resolve } of waiters) if (requests.length >= count) resolve();
      response.on('close', () => {
        seen.aborted = !response.writableFinished;
      });
      const at = requests.indexOf(seen);
      answers[at] = Buffer.alloc(0);
      return answer(script(seen), seen, response, (sent) => {
        answers[at] = sent;
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answers,
    seen: (count) =>
      requests.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => waiters.push({ count, resolve })),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function receive(incoming: IncomingMessage, requests: Mutable[]): Promise<Mutable | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  const body = Buffer.concat(chunks);
  const json = parseJson(decoded(body, incoming.headers['content-encoding']).toString());
  const path = pathOf(incoming.url ?? '/');
  const seen: Mutable = {
    method: incoming.method ?? '',
    url: incoming.url ?? '/',
    headers: incoming.headers,
    rawHeaders: incoming.rawHeaders,
    body,
    sha256: sha256Hex(body),
    json: isRecord(json) ? json : {},
    turn: requests.filter((other) => pathOf(other.url) === path).length,
    aborted: false,
  };
  requests.push(seen);
  return seen;
}

function decoded(body: Buffer, encoding: string | undefined): Buffer {
  if (encoding === 'zstd') return zstdDecompressSync(body);
  return encoding === 'gzip' ? gunzipSync(body) : body;
}

const pathOf = (url: string): string => url.split('?', 1)[0] as string;

async function answer(
  reply: Reply,
  seen: SeenRequest,
  response: ServerResponse,
  keep: (bytes: Buffer) => void,
): Promise<void> {
  await reply.hold;
  if (reply.cut === 'before_headers') return void response.destroy();
  const made = make(reply, seen);
  keep(made.bytes);
  response.writeHead(made.status, { 'content-type': made.type, ...reply.headers });
  response.flushHeaders();
  const half = (made.bytes.length >> 1) + 1;
  const end = reply.cut === 'mid_event' ? half : Math.min(reply.cut ?? made.bytes.length, made.bytes.length);
  const size = reply.chunkBytes ?? made.bytes.length;
  for (let at = 0, write = 0; at < end; at += size, write++) {
    await reply.pace?.(write);
    if (response.destroyed) return;
    if (!response.write(made.bytes.subarray(at, Math.min(end, at + size)))) await drained(response);
  }
  if (reply.cut !== undefined) return cutAfterFlush(response);
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** Ends the connection without the answer's last chunk; what was written leaves first, on the next tick. */
function cutAfterFlush(response: ServerResponse): void {
  setImmediate(() => response.socket?.end());
}

const USAGE: Usage = { input: 11, cacheRead: 5, cacheWrite: 0, output: 7, reasoning: 0 };

interface Made {
  readonly status: number;
  readonly type: string;
  readonly bytes: Buffer;
}

const SSE = 'text/event-stream; charset=utf-8';
const json = (value: JsonRecord, status = 200): Made => ({
  status,
  type: 'application/json',
  bytes: Buffer.from(JSON.stringify(value)),
});

function make(reply: Reply, seen: SeenRequest): Made {
  if (reply.raw)
    return { status: reply.status ?? 200, type: reply.raw.type, bytes: Buffer.from(reply.raw.body) };
  const path = pathOf(seen.url).replace(/^\/(v1|backend-api\/codex)(?=\/)/, '');
  if (reply.status !== undefined && reply.status >= 400) return failure(path, reply.status);
  if (path === '/messages/count_tokens') return json({ input_tokens: Math.ceil(seen.body.length / 4) });
  if (path === '/embeddings')
    return json({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.5, -0.5] }],
      model: String(seen.json.model),
      usage: { prompt_tokens: 3, total_tokens: 3 },
    });
  if (path === '/models')
    return json({ object: 'list', data: [{ id: 'model-a', object: 'model', created: 1 }] });
  const streams = seen.json.stream === true;
  const events = eventsOf(path, reply, seen);
  if (!events) return seen.method === 'POST' ? failure(path, 404) : json({ id: path.split('/')[2] ?? '' });
  if (!streams) return json(events.whole);
  const lines = [...events.stream()];
  if (reply.malformed) lines.splice(2, 0, 'event: broken\ndata: {"type": nonsense\n\n');
  return { status: 200, type: SSE, bytes: Buffer.from(lines.join('')) };
}

function eventsOf(
  path: string,
  reply: Reply,
  seen: SeenRequest,
): { whole: JsonRecord; stream: () => string[] } | undefined {
  const offered = offeredTools(seen.json);
  const tools = (reply.tools ?? []).flatMap(({ name, args, id }, at) => {
    const match =
      typeof name === 'string' ? name : [...offered.keys()].find((candidate) => name.test(candidate));
    return match === undefined ? [] : [{ id: id ?? `call_${seen.turn}_${at}`, name: match, args }];
  });
  const text = reply.text ?? (tools.length > 0 ? '' : 'Done.');
  const usage = { ...USAGE, ...reply.usage };
  const model = String(seen.json.model ?? 'model-a');
  const answered = (prefix: string): Answer => ({
    id: reply.id ?? `${prefix}_${seen.turn}`,
    model,
    text,
    tools,
    usage,
  });
  switch (path) {
    case '/messages': {
      const message = answered('msg');
      return { whole: messagesBody(message), stream: () => messagesEvents(message) };
    }
    case '/chat/completions': {
      const chat = answered('chatcmpl');
      const options = seen.json.stream_options;
      const withUsage = isRecord(options) && options.include_usage === true;
      return { whole: chatBody(chat), stream: () => chatEvents(chat, withUsage) };
    }
    case '/responses': {
      const response = answered('resp');
      return { whole: responsesBody(response, offered), stream: () => responsesEvents(response, offered) };
    }
    default:
      return undefined;
  }
}

/** The error shapes and types that the real providers give to a status. */
function failure(path: string, status: number): Made {
  const message = `scripted ${status}`;
  if (path.startsWith('/messages'))
    return json({ type: 'error', error: { type: MESSAGES_ERRORS[status] ?? 'api_error', message } }, status);
  const type = status === 429 ? 'tokens' : status < 500 ? 'invalid_request_error' : 'server_error';
  const code = status === 429 ? 'rate_limit_exceeded' : null;
  return json({ error: { message, type, param: null, code } }, status);
}

const MESSAGES_ERRORS: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};
