/**
 * One call in two dialects: the request in the backend's, its answer, stream and errors in the client's. Pure
 * functions; which call needs it is the gate's to say. Whatever cannot be carried is in the loss report.
 */
import { type Refusal, refusal } from '../base/errors.ts';
import { isRecord, parseJson } from '../base/json.ts';
import type { NeutralDialect, ResponseFacts, Translation } from '../base/model.ts';
import { anthropicCodec } from './anthropic/codec.ts';
import type { Codec, EventDecoder, EventEncoder } from './codec.ts';
import type { StreamEnd, StreamMachine } from './dialect.ts';
import { errorOf } from './errors.ts';
import { parseExact } from './exact.ts';
import { records } from './members.ts';
import { Losses, type NeutralAnswer, type NeutralEvent } from './neutral.ts';
import { chatCodec } from './openai-chat/codec.ts';
import { responsesCodec } from './openai-responses/codec.ts';
import { record } from './read.ts';
import { SseSplitter } from './sse.ts';
import { clientCall, nameTools } from './toolnames.ts';

export const CODECS: { readonly [N in NeutralDialect]: Codec } = {
  anthropic: anthropicCodec,
  'openai-chat': chatCodec,
  'openai-responses': responsesCodec,
};

export interface TranslatedRequest {
  readonly translation: Translation;
  /** Behind the backend's base URL. */
  readonly path: string;
  readonly body: Buffer;
  /** Paths of the members that could not be carried over, sorted. */
  readonly losses: readonly string[];
}

/** Members that only mean something where the conversation itself lives: without it there is nothing to translate. */
const ANCHORED = ['previous_response_id', 'conversation', 'prompt', 'background'];
/** Items in whose place something stands that only their provider can read. */
const ANCHORED_ITEMS = ['item_reference', 'compaction'];

/**
 * The request for a backend of another dialect; `model` is its name there. A refusal where carrying the rest would
 * change what is asked: state that lives upstream, several choices, stored prompts.
 */
export function translateRequest(
  decoded: Uint8Array,
  client: NeutralDialect,
  backend: NeutralDialect,
  model: string,
  now: number,
): TranslatedRequest | Refusal {
  const body = parseExact(Buffer.from(decoded).toString('utf8'));
  if (!isRecord(body)) return refusal('bad_request', 'The body is not a JSON object.');
  const anchored = ANCHORED.filter(
    (name) => body[name] !== undefined && body[name] !== null && body[name] !== false,
  );
  if (typeof body.n === 'number' && body.n > 1) anchored.push('n');
  const items = client === 'openai-responses' ? records(body.input) : [];
  anchored.push(...ANCHORED_ITEMS.filter((type) => items.some((item) => item.type === type)));
  if (anchored.length > 0)
    return refusal('bad_request', `A backend that speaks ${backend} cannot serve ${anchored.join(', ')}.`, {
      remedy: `send the whole conversation without it, or use a backend that speaks ${client}`,
    });
  const { request, tools } = nameTools(CODECS[client].decodeRequest(body));
  const losses = new Losses(client, backend);
  const encoded = CODECS[backend].encodeRequest({ ...request, model }, losses);
  return {
    path: CODECS[backend].path,
    body: Buffer.from(JSON.stringify(encoded)),
    losses: losses.list(),
    translation: {
      client,
      backend,
      tools,
      createdAt: Math.floor(now / 1000),
      model: request.model,
      includeUsage: record(body.stream_options).include_usage === true,
    },
  };
}

/** A whole answer in the client's dialect; undefined when it is none of the backend's. */
export function translateAnswer(body: Uint8Array, translation: Translation): Buffer | undefined {
  const answer = parseExact(Buffer.from(body).toString('utf8'));
  if (!isRecord(answer)) return undefined;
  const neutral = CODECS[translation.backend].decodeAnswer(answer);
  if (!neutral) return undefined;
  const encoded = CODECS[translation.client].encodeAnswer(unwrapAnswer(neutral, translation), translation);
  return Buffer.from(JSON.stringify(encoded));
}

/** An error answer in the client's dialect, with what the backend said. */
export function translateFailure(status: number, body: Uint8Array, translation: Translation): Buffer {
  const plain = Buffer.from(body).toString('utf8');
  const answer = parseJson(plain);
  const error = isRecord(answer) ? answer.error : undefined;
  const said = errorOf(typeof error === 'string' ? { message: error } : record(error));
  const message = said.message || plain.slice(0, 500) || `The upstream answered ${status}.`;
  return Buffer.from(JSON.stringify(CODECS[translation.client].encodeFailure(status, message, said.code)));
}

function unwrapAnswer(answer: NeutralAnswer, { tools }: Translation): NeutralAnswer {
  const parts = answer.parts.map((part) => {
    if (part.kind !== 'call') return part;
    const call = clientCall(part, tools);
    return call.custom && !part.custom ? { ...call, input: unwrap(part.input) } : call;
  });
  return { ...answer, parts };
}

/** The text that a custom tool's function was called with; what does not fit its schema stays as it is. */
function unwrap(args: string): string {
  const value = parseJson(args);
  return isRecord(value) && typeof value.input === 'string' ? value.input : args;
}

/** What a backend's answer holds, its tool calls as the client makes them. */
export function clientFacts(facts: ResponseFacts, { backend, tools }: Translation): ResponseFacts {
  if (tools.size === 0) return facts;
  const intents = facts.intents.map((intent) => {
    const own = tools.get(intent.name);
    if (!own) return intent;
    // Responses alone has calls of text.
    const isWrapped = own.custom && backend !== 'openai-responses';
    const argumentsText = isWrapped ? unwrap(intent.argumentsText) : intent.argumentsText;
    return { ...intent, name: own.name, argumentsText };
  });
  return { ...facts, intents };
}

/** The backend's stream in the client's dialect; rules, facts and the end are the backend's own machine's. */
export class TranslatedStream implements StreamMachine {
  readonly #machine: StreamMachine;
  readonly #splitter = new SseSplitter();
  readonly #decoder: EventDecoder;
  readonly #encoder: EventEncoder;
  readonly #translation: Translation;
  /** Input of custom tools' calls by index, until it is whole and can be unwrapped. */
  readonly #wrapped = new Map<number, string>();
  events = 0;

  constructor(machine: StreamMachine, translation: Translation) {
    const { client, backend } = translation;
    this.#machine = machine;
    this.#decoder = CODECS[backend].newDecoder();
    this.#encoder = CODECS[client].newEncoder(translation);
    this.#translation = translation;
  }

  push(chunk: Uint8Array): Uint8Array {
    return this.#translate(this.#machine.push(chunk));
  }

  finish(): StreamEnd {
    const ended = this.#machine.finish();
    const end = { ...ended, facts: clientFacts(ended.facts, this.#translation) };
    if (!('tail' in end)) return end;
    // The last event may lack its blank line.
    const tail = Buffer.concat([this.#translate(end.tail), this.#translate(Buffer.from('\n\n'))]);
    return { ...end, tail };
  }

  facts(): ResponseFacts {
    return clientFacts(this.#machine.facts(), this.#translation);
  }

  #translate(passed: Uint8Array): Buffer {
    const framed = this.#splitter
      .push(passed)
      .flatMap((event) => this.#decoder.event(event))
      .flatMap((event) => this.#unwrap(event))
      .flatMap((event) => this.#encoder.event(event));
    this.events += framed.length;
    return Buffer.concat(framed);
  }

  #unwrap(event: NeutralEvent): NeutralEvent[] {
    if (event.kind === 'open' && event.part.kind === 'call') {
      const part = clientCall(event.part, this.#translation.tools);
      if (part.custom && !event.part.custom) this.#wrapped.set(event.index, '');
      return [{ ...event, part }];
    }
    const held = 'index' in event ? this.#wrapped.get(event.index) : undefined;
    if (held === undefined) return [event];
    if (event.kind === 'delta') {
      this.#wrapped.set(event.index, held + event.text);
      return [];
    }
    if (event.kind === 'close') {
      this.#wrapped.delete(event.index);
      return [{ kind: 'delta', index: event.index, text: unwrap(held) }, event];
    }
    return [event];
  }
}
