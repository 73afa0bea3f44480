/**
 * A streamed Messages answer that may be continued from its last words, where its server goes on from a last message of
 * the assistant (prefill: llama-server, Claude models before 4.6; newer ones refuse it). Its client sees one message: the
 * first connection's, whose open block of text goes on. Not continued: thinking, tool calls, an answer held to a format.
 */
import { isRecord, type Json, type JsonRecord, numberOf, parseJson, stringOf } from '../../base/json.ts';
import type { ModelCall } from '../../base/model.ts';
import { encodeEvent, type SseEvent } from '../../wire/sse.ts';
import type { Spoken } from './spoken.ts';
import { Words } from './words.ts';

/** Members of a request that say more than text to go on from. */
const BINDING = /^(?:output_config|output_format|mcp_servers|container|context_management)$/;

/** The request of a call that may be continued; undefined where it may not. */
export function continuableMessages(call: ModelCall): JsonRecord | undefined {
  const { dialect, path, body, decoded, facts } = call;
  // A compressed body would have to be compressed again.
  if (dialect !== 'anthropic' || path !== '/messages' || !facts.stream || body !== decoded) return undefined;
  const asked = parseJson(Buffer.from(decoded).toString('utf8'));
  if (!isRecord(asked) || !Array.isArray(asked.messages)) return undefined;
  if (Object.keys(asked).some((name) => BINDING.test(name) && asked[name] !== null)) return undefined;
  if (isRecord(asked.thinking) && asked.thinking.type !== 'disabled') return undefined;
  // Its client begins the answer itself: two beginnings are not one.
  const last = asked.messages.at(-1);
  return isRecord(last) && last.role === 'assistant' ? undefined : asked;
}

export class MessagesAnswer implements Spoken {
  readonly #asked: JsonRecord;
  readonly #words: Words;
  #isFixed = false;
  /** What its client was told that was read, where it was told anything. */
  #read: JsonRecord | undefined;
  /** The number of the block of text that is open at its client. */
  #open: number | undefined;
  /** By how much the blocks of this connection are further on at its client. */
  #shift = 0;
  /** This connection has begun no block yet. */
  #isJoining = false;

  constructor(call: ModelCall, asked: JsonRecord) {
    this.#asked = asked;
    this.#words = new Words(call.written);
  }

  get isFixed(): boolean {
    return this.#isFixed;
  }

  get isRepeating(): boolean {
    return this.#words.isRepeating;
  }

  left(): number | undefined {
    const most = this.#asked.max_tokens;
    return typeof most === 'number' ? most - this.#words.pieces : undefined;
  }

  goOn(): JsonRecord | undefined {
    const begun = this.#words.goOnFrom();
    this.#isJoining = true;
    if (begun === '') return undefined;
    const { messages, ...asked } = this.#asked;
    const left = this.left();
    return {
      ...asked,
      ...(left === undefined ? {} : { max_tokens: Math.max(1, left) }),
      messages: [...(messages as Json[]), { role: 'assistant', content: begun }],
    };
  }

  hear({ bytes, data }: SseEvent, isFirst: boolean): Buffer[] {
    const told = parseJson(data);
    if (!isRecord(told)) return [bytes];
    const said = this.#say(told, isFirst);
    return isFirst ? [bytes] : (said?.map(frame) ?? [bytes]);
  }

  /** What its client gets of an event in a continued answer; undefined: the event as it is. */
  #say(event: JsonRecord, isFirst: boolean): JsonRecord[] | undefined {
    if (event.type === 'message_start') return this.#start(event);
    if (event.type === 'content_block_start') return this.#begin(event, isFirst);
    if (event.type === 'content_block_delta') return this.#add(event);
    if (event.type === 'ping') return undefined;
    // From here on it is about to end.
    this.#isFixed = true;
    if (event.type === 'content_block_stop') return [...this.#held(), this.#moved(event)];
    if (event.type !== 'message_delta') return undefined;
    return [...this.#joined(), { ...event, ...this.#usageOf(event) }];
  }

  #start({ message }: JsonRecord): JsonRecord[] | undefined {
    if (this.#read) return [];
    this.#read = isRecord(message) && isRecord(message.usage) ? message.usage : {};
    return undefined;
  }

  #begin(event: JsonRecord, isFirst: boolean): JsonRecord[] {
    const block = isRecord(event.content_block) ? event.content_block : {};
    const isText = block.type === 'text';
    if (!isText) this.#isFixed = true;
    const open = isFirst || !this.#isJoining ? undefined : this.#open;
    if (open !== undefined) this.#shift = open - numberOf(event.index) + (isText ? 0 : 1);
    // Text goes on in the block that is open; anything else ends that.
    const ended = isText ? [] : this.#joined();
    this.#isJoining = false;
    if (isText) this.#open = numberOf(event.index) + this.#shift;
    const text = isText ? this.#added(block.text) : [];
    return open !== undefined && isText ? text : [...ended, this.#moved(event)];
  }

  /** What ends the block that is open at the client, where this connection did not go on in it. */
  #joined(): JsonRecord[] {
    if (!this.#isJoining) return [];
    this.#isJoining = false;
    return this.#open === undefined ? [] : [{ type: 'content_block_stop', index: this.#open }];
  }

  #add(event: JsonRecord): JsonRecord[] {
    const { delta } = event;
    if (isRecord(delta) && delta.type === 'text_delta') return this.#added(delta.text);
    this.#isFixed = true;
    return [this.#moved(event)];
  }

  #added(text: Json | undefined, isLast = false): JsonRecord[] {
    const fresh = this.#words.take(typeof text === 'string' ? text : '', isLast);
    if (fresh === '' || this.#open === undefined) return [];
    return [{ type: 'content_block_delta', index: this.#open, delta: { type: 'text_delta', text: fresh } }];
  }

  /** What was held back, as it might have been said before. */
  #held(): JsonRecord[] {
    return this.#words.isRepeating ? this.#added('', true) : [];
  }

  #moved(event: JsonRecord): JsonRecord {
    return { ...event, index: numberOf(event.index) + this.#shift };
  }

  /** What was written before counts as written, not as read. */
  #usageOf({ usage }: JsonRecord): JsonRecord {
    if (!isRecord(usage) || typeof usage.output_tokens !== 'number') return {};
    const { output_tokens: _first, ...read } = this.#read ?? {};
    const again = Object.keys(usage).filter((name) => name in read);
    return {
      usage: {
        ...usage,
        ...Object.fromEntries(again.map((name) => [name, read[name] as Json])),
        output_tokens: usage.output_tokens + this.#words.before,
      },
    };
  }
}

const frame = (event: JsonRecord): Buffer => encodeEvent(stringOf(event.type), JSON.stringify(event));
