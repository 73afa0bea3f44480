/** The lab's HTTP: on loopback, in three dialects, streamed or not, with the headers and failures of hosted APIs. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { sha256 } from '../../base/hash.ts';
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import type { NeutralDialect } from '../../base/model.ts';
import type { AnswerContext } from '../../wire/codec.ts';
import { collectAnswer } from '../../wire/collect.ts';
import type { NeutralEvent, NeutralRequest } from '../../wire/neutral.ts';
import { DIALECTS } from '../../wire/registry.ts';
import { CODECS } from '../../wire/translate.ts';
import { LIMITS } from '../limits.ts';
import { type LabEnd, LabEngine } from './engine.ts';
import { messageText, tokensOf } from './model.ts';
import type { LabOptions } from './options.ts';

// Not imported: an ES import of node:http reads all it exports, and one of them loads a second HTTP client (45 ms).
const { createServer } = process.getBuiltinModule('node:http');

export interface Lab {
  readonly origin: string;
  close(): Promise<void>;
}

const ROUTES: Readonly<Record<string, NeutralDialect>> = {
  '/v1/messages': 'anthropic',
  '/v1/chat/completions': 'openai-chat',
  '/v1/responses': 'openai-responses',
};
const DIMENSIONS = 64;

/** Opens a lab on a free port of 127.0.0.1. */
export async function openLab(options: LabOptions, clock: Clock): Promise<Lab> {
  const engine = new LabEngine(options, clock);
  const server = createServer((request, response) => {
    serve(engine, clock, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(
  engine: LabEngine,
  clock: Clock,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0] as string;
  const body = await readBody(request);
  if (path === '/v1/models') return sendJson(response, 200, { object: 'list', data: [{ id: 'lab' }] });
  const json = body && parseJson(body.toString('utf8'));
  if (!body || !isRecord(json)) return sendJson(response, 400, failure('anthropic', 400, 'No JSON object.'));
  if (path === '/v1/embeddings') return sendJson(response, 200, embed(json));
  const counted = path === '/v1/messages/count_tokens';
  const dialect = counted ? 'anthropic' : ROUTES[path];
  if (dialect === undefined)
    return sendJson(response, 404, failure('openai-chat', 404, `The lab has no ${path}.`));
  const facts = DIALECTS[dialect].readRequest(body);
  if ('problem' in facts) return sendJson(response, 400, failure(dialect, 400, facts.problem.message));
  const neutral = CODECS[dialect].decodeRequest(json);
  if (counted) return sendJson(response, 200, { input_tokens: inputTokens(neutral) });
  const options = isRecord(json.stream_options) ? json.stream_options : {};
  const answer = new Answering(engine, clock, dialect, neutral, options.include_usage === true, response);
  await answer.run();
}

const failure = (dialect: NeutralDialect, status: number, message: string): JsonRecord =>
  CODECS[dialect].encodeFailure(status, message);
const inputTokens = (request: NeutralRequest): number =>
  request.messages.reduce((sum, message) => sum + tokensOf(messageText(message)), 0);

/** One answer on its way out. */
class Answering {
  readonly #engine: LabEngine;
  readonly #clock: Clock;
  readonly #dialect: NeutralDialect;
  readonly #request: NeutralRequest;
  readonly #at: AnswerContext;
  readonly #response: ServerResponse;

  constructor(
    engine: LabEngine,
    clock: Clock,
    dialect: NeutralDialect,
    request: NeutralRequest,
    includeUsage: boolean,
    response: ServerResponse,
  ) {
    this.#engine = engine;
    this.#clock = clock;
    this.#dialect = dialect;
    this.#request = request;
    this.#at = { createdAt: Math.floor(clock.now() / 1000), model: request.model, includeUsage };
    this.#response = response;
  }

  async run(): Promise<void> {
    const left = new AbortController();
    this.#response.on('close', () => left.abort());
    const events: NeutralEvent[] = [];
    const encoder = CODECS[this.#dialect].newEncoder(this.#at);
    const emit = (event: NeutralEvent): void => {
      if (!this.#request.stream) return void events.push(event);
      if (!this.#response.headersSent) this.#head(200, 'text/event-stream');
      for (const bytes of encoder.event(event)) this.#response.write(bytes);
    };
    const end = await this.#engine.serve(this.#request, emit, left.signal);
    this.#finish(end, events);
  }

  #finish(end: LabEnd, events: readonly NeutralEvent[]): void {
    const response = this.#response;
    switch (end.kind) {
      case 'done':
        if (this.#request.stream) return void response.end();
        return this.#body(200, CODECS[this.#dialect].encodeAnswer(collectAnswer(events), this.#at));
      case 'refused':
        response.setHeader('retry-after', String(Math.ceil(end.retryAfterMs / 1000)));
        return this.#body(end.status, failure(this.#dialect, end.status, end.message));
      case 'malformed':
        // Half a JSON object, as an event or as the body.
        return void response.end(this.#request.stream ? 'data: {"type":\n\n' : '{"type":');
      case 'cut':
      case 'left':
        return void response.destroy();
    }
  }

  #body(status: number, value: JsonRecord): void {
    this.#head(status, 'application/json');
    this.#response.end(JSON.stringify(value));
  }

  #head(status: number, type: string): void {
    const { requests, tokens } = this.#engine.limits;
    const now = this.#clock.now();
    const prefix = this.#dialect === 'anthropic' ? 'anthropic-ratelimit' : 'x-ratelimit';
    for (const [name, bucket] of [
      ['requests', requests],
      ['tokens', tokens],
    ] as const) {
      if (!bucket) continue;
      const left = Math.max(0, Math.floor(bucket.level(now)));
      for (const [what, value] of [
        ['limit', bucket.perMinute],
        ['remaining', left],
      ] as const) {
        const header =
          this.#dialect === 'anthropic' ? `${prefix}-${name}-${what}` : `${prefix}-${what}-${name}`;
        this.#response.setHeader(header, String(value));
      }
    }
    this.#response.writeHead(status, { 'content-type': type, 'x-mezz-lab': 'this is no model' });
  }
}

/** A direction for each text that its bytes decide: the same text is near itself and nothing else. */
function embed(body: JsonRecord): JsonRecord {
  const inputs: readonly unknown[] = Array.isArray(body.input) ? body.input : [body.input];
  const data = inputs.map((input, index) => {
    const text = typeof input === 'string' ? input : JSON.stringify(input ?? '');
    const bytes = [0, 1].flatMap((half) => [...sha256(`${half}${text}`)]);
    const raw = bytes.slice(0, DIMENSIONS).map((byte) => byte - 127.5);
    const length = Math.hypot(...raw);
    return { object: 'embedding', index, embedding: raw.map((value) => value / length) };
  });
  const tokens = inputs.reduce<number>((sum, input) => sum + tokensOf(JSON.stringify(input ?? '')), 0);
  return {
    object: 'list',
    model: typeof body.model === 'string' ? body.model : 'lab',
    data,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= LIMITS.labBodyBytes.value) chunks.push(chunk);
    });
    request.on('end', () => resolve(size <= LIMITS.labBodyBytes.value ? Buffer.concat(chunks) : undefined));
    request.on('error', () => resolve(undefined));
  });
}

function sendJson(response: ServerResponse, status: number, value: JsonRecord): void {
  response.writeHead(status, { 'content-type': 'application/json', 'x-mezz-lab': 'this is no model' });
  response.end(JSON.stringify(value));
}
