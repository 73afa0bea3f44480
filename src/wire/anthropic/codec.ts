/** Answers and streams of the Messages API to and from the neutral model. */
import { isRecord, type JsonRecord, numberOf, parseJson, tableOf } from '../../base/json.ts';
import { NO_USAGE, type Usage } from '../../base/usage.ts';
import type { AnswerContext, Codec, EventDecoder, EventEncoder } from '../codec.ts';
import { anthropicFailure, errorOf } from '../errors.ts';
import { parseExact } from '../exact.ts';
import {
  functionInput,
  type NeutralAnswer,
  type NeutralEvent,
  type NeutralPart,
  type OpenPart,
  type Sealed,
  type Stop,
} from '../neutral.ts';
import { record, text } from '../read.ts';
import { seal } from '../seal.ts';
import { encodeEvent, type SseEvent } from '../sse.ts';
import { decodeContent } from './parts.ts';
import { decodeRequest, encodeRequest } from './request.ts';
import { anthropicUsage, mergeUsage } from './usage.ts';

const STOPS = tableOf<Stop>({
  end_turn: 'end',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'calls',
  stop_sequence: 'stop_sequence',
  refusal: 'filter',
  pause_turn: 'pause',
});
const REASONS: Record<Stop, string> = {
  end: 'end_turn',
  length: 'max_tokens',
  calls: 'tool_use',
  stop_sequence: 'stop_sequence',
  filter: 'refusal',
  pause: 'pause_turn',
};

function decodeAnswer(body: JsonRecord): NeutralAnswer | undefined {
  if (body.type !== 'message') return undefined;
  return {
    id: text(body, 'id'),
    model: text(body, 'model'),
    parts: decodeContent(body.content ?? []),
    stop: STOPS[text(body, 'stop_reason')] ?? 'end',
    usage: anthropicUsage(record(body.usage)),
  };
}

const encodeUsage = (usage: Usage): JsonRecord => ({
  input_tokens: usage.input,
  cache_creation_input_tokens: usage.cacheWrite,
  cache_read_input_tokens: usage.cacheRead,
  output_tokens: usage.output,
  ...(usage.reasoning > 0 ? { output_tokens_details: { thinking_tokens: usage.reasoning } } : {}),
});

/** A model that declines says so in words elsewhere; here the reason for its end says it too. */
const reasonOf = (stop: Stop, refused: boolean): string =>
  REASONS[refused && stop === 'end' ? 'filter' : stop];

const messageId = (id: string): string => (id.startsWith('msg_') ? id : `msg_${id}`);

function encodeAnswer(answer: NeutralAnswer, { model }: AnswerContext): JsonRecord {
  return {
    id: messageId(answer.id),
    type: 'message',
    role: 'assistant',
    model,
    content: answer.parts.flatMap(encodePart),
    stop_reason: reasonOf(
      answer.stop,
      answer.parts.some((part) => part.kind === 'refusal'),
    ),
    stop_sequence: null,
    usage: encodeUsage(answer.usage),
  };
}

function encodePart(part: NeutralPart): JsonRecord[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return part.text === '' ? [] : [{ type: 'text', text: part.text }];
    case 'reasoning':
      return [{ type: 'thinking', thinking: part.text, signature: signatureOf(part.sealed) }];
    case 'call':
      return [
        {
          type: 'tool_use',
          id: part.id,
          name: part.name,
          input: record(parseExact(functionInput(part))),
        },
      ];
    default:
      return [];
  }
}

/** The API's own where it sealed the thought itself; thoughts of others travel in its place. */
function signatureOf(sealed: Sealed | undefined): string {
  if (sealed?.dialect === 'anthropic') return text(sealed.item, 'signature');
  return sealed ? seal(sealed) : '';
}

class MessagesDecoder implements EventDecoder {
  #usage: Usage = NO_USAGE;
  #stop: Stop = 'end';
  readonly #thinking = new Map<number, { text: string; signature: string }>();
  /** Thoughts that came whole and unreadable. */
  readonly #redacted = new Map<number, Sealed | undefined>();
  /** Tool calls without a byte of input so far. */
  readonly #bare = new Set<number>();
  /** Blocks that no other dialect has: what belongs to them is passed over. */
  readonly #skipped = new Set<number>();

  event(event: SseEvent): readonly NeutralEvent[] {
    const data = parseJson(event.data);
    if (!isRecord(data)) return [];
    const index = numberOf(data.index);
    if (this.#skipped.has(index)) return [];
    switch (data.type) {
      case 'message_start': {
        const message = record(data.message);
        this.#usage = anthropicUsage(record(message.usage));
        return [
          { kind: 'start', id: text(message, 'id'), model: text(message, 'model'), usage: this.#usage },
        ];
      }
      case 'content_block_start':
        return this.#open(index, record(data.content_block));
      case 'content_block_delta':
        return this.#delta(index, record(data.delta));
      case 'content_block_stop':
        return this.#close(index);
      case 'message_delta':
        this.#usage = mergeUsage(this.#usage, record(data.usage));
        this.#stop = STOPS[text(record(data.delta), 'stop_reason')] ?? this.#stop;
        return [];
      case 'message_stop':
        return [{ kind: 'end', stop: this.#stop, usage: this.#usage }];
      case 'error':
        return [errorOf(record(data.error))];
      default:
        return [];
    }
  }

  #open(index: number, block: JsonRecord): readonly NeutralEvent[] {
    const [part] = decodeContent([block]);
    if (part?.kind === 'text') return this.#begin(index, { kind: 'text' }, part.text);
    if (part?.kind === 'call') {
      this.#bare.add(index);
      const { id, name, namespace } = part;
      return this.#begin(index, { kind: 'call', id, name, namespace, custom: false }, '');
    }
    if (part?.kind === 'reasoning' && block.type === 'redacted_thinking') {
      this.#redacted.set(index, part.sealed);
      return this.#begin(index, { kind: 'reasoning' }, '');
    }
    if (block.type === 'thinking') {
      this.#thinking.set(index, { text: '', signature: text(block, 'signature') });
      return this.#begin(index, { kind: 'reasoning' }, text(block, 'thinking'));
    }
    this.#skipped.add(index);
    return [];
  }

  #begin(index: number, part: OpenPart, start: string): NeutralEvent[] {
    const opened: NeutralEvent = { kind: 'open', index, part };
    return start === '' ? [opened] : [opened, { kind: 'delta', index, text: start }];
  }

  #delta(index: number, delta: JsonRecord): readonly NeutralEvent[] {
    const thinking = this.#thinking.get(index);
    switch (delta.type) {
      case 'text_delta':
        return [{ kind: 'delta', index, text: text(delta, 'text') }];
      case 'input_json_delta':
        if (text(delta, 'partial_json') === '') return [];
        this.#bare.delete(index);
        return [{ kind: 'delta', index, text: text(delta, 'partial_json') }];
      case 'thinking_delta':
        if (thinking) thinking.text += text(delta, 'thinking');
        return [{ kind: 'delta', index, text: text(delta, 'thinking') }];
      case 'signature_delta':
        if (thinking) thinking.signature += text(delta, 'signature');
        return [];
      default:
        return [];
    }
  }

  /** A call without input is one with none: elsewhere that is an empty object. */
  #close(index: number): readonly NeutralEvent[] {
    const closed: NeutralEvent = { kind: 'close', index, sealed: this.#seal(index) };
    return this.#bare.delete(index) ? [{ kind: 'delta', index, text: '{}' }, closed] : [closed];
  }

  #seal(index: number): Sealed | undefined {
    const thinking = this.#thinking.get(index);
    if (!thinking || thinking.signature === '') return this.#redacted.get(index);
    const { text: thought, signature } = thinking;
    return { dialect: 'anthropic', item: { type: 'thinking', thinking: thought, signature } };
  }
}

class MessagesEncoder implements EventEncoder {
  readonly #at: AnswerContext;
  readonly #open = new Map<number, OpenPart['kind']>();
  #refused = false;

  constructor(at: AnswerContext) {
    this.#at = at;
  }

  event(event: NeutralEvent): readonly Buffer[] {
    switch (event.kind) {
      case 'start':
        return [this.#start(event.id, event.usage ?? NO_USAGE)];
      case 'open':
        this.#open.set(event.index, event.part.kind);
        this.#refused ||= event.part.kind === 'refusal';
        return [
          framed({ type: 'content_block_start', index: event.index, content_block: emptyBlock(event.part) }),
        ];
      case 'delta':
        return [
          framed({
            type: 'content_block_delta',
            index: event.index,
            delta: deltaOf(this.#open.get(event.index) ?? 'text', event.text),
          }),
        ];
      case 'close':
        return this.#close(event.index, event.sealed);
      case 'end':
        return [
          framed({
            type: 'message_delta',
            delta: { stop_reason: reasonOf(event.stop, this.#refused), stop_sequence: null },
            usage: encodeUsage(event.usage),
          }),
          framed({ type: 'message_stop' }),
        ];
      case 'error':
        return [framed(anthropicFailure(500, event.message))];
    }
  }

  #start(id: string, usage: Usage): Buffer {
    const message = {
      ...encodeAnswer({ id, model: '', parts: [], stop: 'end', usage }, this.#at),
      stop_reason: null,
    };
    return framed({ type: 'message_start', message });
  }

  #close(index: number, sealed: Sealed | undefined): Buffer[] {
    const stop = framed({ type: 'content_block_stop', index });
    if (this.#open.get(index) !== 'reasoning' || sealed === undefined) return [stop];
    const delta = { type: 'signature_delta', signature: signatureOf(sealed) };
    return [framed({ type: 'content_block_delta', index, delta }), stop];
  }
}

function emptyBlock(part: OpenPart): JsonRecord {
  if (part.kind === 'call') return { type: 'tool_use', id: part.id, name: part.name, input: {} };
  return part.kind === 'reasoning'
    ? { type: 'thinking', thinking: '', signature: '' }
    : { type: 'text', text: '' };
}

function deltaOf(kind: OpenPart['kind'], more: string): JsonRecord {
  if (kind === 'call') return { type: 'input_json_delta', partial_json: more };
  return kind === 'reasoning'
    ? { type: 'thinking_delta', thinking: more }
    : { type: 'text_delta', text: more };
}

const framed = (event: JsonRecord): Buffer => encodeEvent(text(event, 'type'), JSON.stringify(event));

export const anthropicCodec: Codec = {
  path: '/messages',
  decodeRequest,
  encodeRequest,
  decodeAnswer,
  encodeAnswer,
  newDecoder: () => new MessagesDecoder(),
  newEncoder: (at) => new MessagesEncoder(at),
  encodeFailure: anthropicFailure,
};
