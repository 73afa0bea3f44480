/** A request to the lab: as it came, and read when somebody asks. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { isRecord, type JsonRecord, parseJson, tableOf } from '../../base/json.ts';
import type { NeutralDialect } from '../../base/model.ts';
import type { AnswerContext } from '../../wire/codec.ts';
import type { NeutralRequest } from '../../wire/neutral.ts';
import { CODECS } from '../../wire/translate.ts';
import { LIMITS } from '../limits.ts';
import type { LabRequest } from './script.ts';

export const COUNT_PATH = '/messages/count_tokens';
const ROUTES = tableOf<NeutralDialect>({
  '/messages': 'anthropic',
  [COUNT_PATH]: 'anthropic',
  '/chat/completions': 'openai-chat',
  '/responses': 'openai-responses',
});
/** Where the providers' paths begin; a subscription of ChatGPT has its own. */
const PREFIX = /^\/(v1|backend-api\/codex)(?=\/)/;

export class Received implements LabRequest {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly dialect: NeutralDialect | undefined;
  #plain: Buffer | undefined;
  #json: JsonRecord | undefined;
  #asked: NeutralRequest | undefined;

  constructor(incoming: IncomingMessage, body: Buffer) {
    this.method = incoming.method ?? '';
    this.url = incoming.url ?? '/';
    this.path = (this.url.split('?', 1)[0] as string).replace(PREFIX, '');
    this.headers = incoming.headers;
    this.rawHeaders = incoming.rawHeaders;
    this.body = body;
    this.dialect = this.method === 'POST' ? ROUTES[this.path] : undefined;
  }

  /** The body decompressed. */
  plain(): Buffer {
    const encoding = this.headers['content-encoding'];
    this.#plain ??=
      encoding === 'zstd'
        ? zstdDecompressSync(this.body)
        : encoding === 'gzip'
          ? gunzipSync(this.body)
          : this.body;
    return this.#plain;
  }

  json(): JsonRecord | undefined {
    if (this.#json) return this.#json;
    const value = parseJson(this.plain().toString('utf8'));
    if (isRecord(value)) this.#json = value;
    return this.#json;
  }

  asked(): NeutralRequest | undefined {
    const json = this.json();
    if (json && this.dialect) this.#asked ??= CODECS[this.dialect].decodeRequest(json);
    return this.#asked;
  }
}

/** What an encoder must know of the request it answers; `now` is wall time in ms. */
export function contextOf(request: LabRequest, now: number): AnswerContext {
  const json = request.json() ?? {};
  const options = isRecord(json.stream_options) ? json.stream_options : {};
  return {
    createdAt: Math.floor(now / 1000),
    model: typeof json.model === 'string' ? json.model : 'lab',
    includeUsage: options.include_usage === true,
  };
}

/** undefined: it is too large, or its client left. */
export function receive(incoming: IncomingMessage): Promise<Received | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= LIMITS.labBodyBytes.value) chunks.push(chunk);
    });
    incoming.on('end', () =>
      resolve(size <= LIMITS.labBodyBytes.value ? new Received(incoming, Buffer.concat(chunks)) : undefined),
    );
    incoming.on('error', () => resolve(undefined));
  });
}
