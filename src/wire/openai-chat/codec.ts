/** Answers and streams of Chat Completions to and from the neutral model. Of several choices the first one counts. */
import { isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import { NO_USAGE, type Usage } from '../../base/usage.ts';
import type { AnswerContext, Codec, EventDecoder, EventEncoder } from '../codec.ts';
import { openaiFailure } from '../errors.ts';
import { members, records } from '../members.ts';
import {
  functionInput,
  type NeutralAnswer,
  type NeutralEvent,
  type NeutralPart,
  type OpenPart,
  type Stop,
} from '../neutral.ts';
import { openaiUsage } from '../openai-responses/usage.ts';
import { record, text } from '../read.ts';
import { encodeEvent, type SseEvent } from '../sse.ts';
import { decodeCall, decodeContent, decodeRequest, encodeRequest, reasoningOf } from './request.ts';

const STOPS: Record<string, Stop> = {
  stop: 'end',
  length: 'length',
  tool_calls: 'calls',
  function_call: 'calls',
  content_filter: 'filter',
};
const REASONS: Record<Stop, string> = {
  end: 'stop',
  length: 'length',
  calls: 'tool_calls',
  stop_sequence: 'stop',
  filter: 'content_filter',
  pause: 'stop',
};

function decodeAnswer(body: JsonRecord): NeutralAnswer | undefined {
  const choice = records(body.choices)[0];
  if (!choice) return undefined;
  const message = record(choice.message);
  const refusal = text(message, 'refusal');
  return {
    id: text(body, 'id'),
    model: text(body, 'model'),
    parts: [
      ...reasoningOf(message),
      ...decodeContent(message.content),
      ...(refusal === '' ? [] : [{ kind: 'refusal' as const, text: refusal, extras: {} }]),
      ...records(message.tool_calls).map(decodeCall),
    ],
    stop: STOPS[text(choice, 'finish_reason')] ?? 'end',
    usage: openaiUsage(record(body.usage)),
  };
}

const encodeUsage = (usage: Usage): JsonRecord => {
  const prompt = usage.input + usage.cacheRead + usage.cacheWrite;
  return {
    prompt_tokens: prompt,
    completion_tokens: usage.output,
    total_tokens: prompt + usage.output,
    prompt_tokens_details: { cached_tokens: usage.cacheRead },
    completion_tokens_details: { reasoning_tokens: usage.reasoning },
  };
};

const chatId = (id: string): string => (id.startsWith('chatcmpl') ? id : `chatcmpl-${id}`);

function encodeAnswer(answer: NeutralAnswer, at: AnswerContext): JsonRecord {
  const joined = (kind: NeutralPart['kind']): string =>
    answer.parts.map((part) => (part.kind === kind && 'text' in part ? part.text : '')).join('');
  const calls = answer.parts.flatMap((part) =>
    part.kind === 'call'
      ? [{ id: part.id, type: 'function', function: { name: part.name, arguments: functionInput(part) } }]
      : [],
  );
  const message = members({
    role: 'assistant',
    content: joined('text') || null,
    refusal: joined('refusal') || null,
    reasoning_content: joined('reasoning') || undefined,
    tool_calls: calls.length > 0 ? calls : undefined,
  });
  return {
    id: chatId(answer.id),
    object: 'chat.completion',
    created: at.createdAt,
    model: at.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: REASONS[answer.stop] }],
    usage: encodeUsage(answer.usage),
  };
}

/** Chat names no parts: text, refusal and reasoning are one part each while they last, a call is one by its index. */
class ChatDecoder implements EventDecoder {
  #started = false;
  #usage: Usage = NO_USAGE;
  #stop: Stop = 'end';
  #index = -1;
  /** What is open now: a kind, or the index of a call. */
  #open: string | undefined;

  event(event: SseEvent): readonly NeutralEvent[] {
    if (event.data === '[DONE]') return this.#end();
    const chunk = parseJson(event.data);
    if (!isRecord(chunk)) return [];
    if (isRecord(chunk.error)) return [{ kind: 'error', message: text(chunk.error, 'message') }];
    const events: NeutralEvent[] = [];
    if (!this.#started) {
      this.#started = true;
      events.push({ kind: 'start', id: text(chunk, 'id'), model: text(chunk, 'model') });
    }
    if (isRecord(chunk.usage)) this.#usage = openaiUsage(chunk.usage);
    for (const choice of records(chunk.choices)) {
      if (Number(choice.index ?? 0) !== 0) continue;
      events.push(...this.#delta(record(choice.delta)));
      this.#stop = STOPS[text(choice, 'finish_reason')] ?? this.#stop;
    }
    return events;
  }

  #delta(delta: JsonRecord): NeutralEvent[] {
    const thought = text(delta, 'reasoning_content') || text(delta, 'reasoning');
    const events = [
      ...this.#grow('reasoning', thought),
      ...this.#grow('text', text(delta, 'content')),
      ...this.#grow('refusal', text(delta, 'refusal')),
    ];
    for (const call of records(delta.tool_calls)) {
      const { id, name, input, custom } = decodeCall(call);
      const key = `call ${String(call.index ?? 0)}`;
      if (this.#open !== key) events.push(...this.#begin(key, { kind: 'call', id, name, custom }));
      if (input !== '') events.push({ kind: 'delta', index: this.#index, text: input });
    }
    return events;
  }

  #grow(kind: 'reasoning' | 'text' | 'refusal', more: string): NeutralEvent[] {
    if (more === '') return [];
    const opened = this.#open === kind ? [] : this.#begin(kind, { kind });
    return [...opened, { kind: 'delta', index: this.#index, text: more }];
  }

  #begin(key: string, part: OpenPart): NeutralEvent[] {
    const closed = this.#close();
    this.#open = key;
    this.#index++;
    return [...closed, { kind: 'open', index: this.#index, part }];
  }

  #close(): NeutralEvent[] {
    if (this.#open === undefined) return [];
    this.#open = undefined;
    return [{ kind: 'close', index: this.#index }];
  }

  #end(): NeutralEvent[] {
    return [...this.#close(), { kind: 'end', stop: this.#stop, usage: this.#usage }];
  }
}

class ChatEncoder implements EventEncoder {
  readonly #at: AnswerContext;
  #id = '';
  #calls = 0;
  readonly #open = new Map<number, { kind: OpenPart['kind']; call: number }>();

  constructor(at: AnswerContext) {
    this.#at = at;
  }

  event(event: NeutralEvent): readonly Buffer[] {
    switch (event.kind) {
      case 'start':
        this.#id = chatId(event.id);
        return [this.#chunk({ role: 'assistant', content: '' })];
      case 'open':
        return this.#begin(event.index, event.part);
      case 'delta':
        return this.#delta(event.index, event.text);
      case 'close':
        return [];
      case 'end':
        return this.#end(event.stop, event.usage);
      case 'error':
        return [encodeEvent('', JSON.stringify(openaiFailure(500, event.message)))];
    }
  }

  #begin(index: number, part: OpenPart): Buffer[] {
    this.#open.set(index, { kind: part.kind, call: this.#calls });
    if (part.kind !== 'call') return [];
    const call = {
      index: this.#calls++,
      id: part.id,
      type: 'function',
      function: { name: part.name, arguments: '' },
    };
    return [this.#chunk({ tool_calls: [call] })];
  }

  #delta(index: number, more: string): Buffer[] {
    const part = this.#open.get(index);
    switch (part?.kind) {
      case 'call':
        return [this.#chunk({ tool_calls: [{ index: part.call, function: { arguments: more } }] })];
      case 'reasoning':
        return [this.#chunk({ reasoning_content: more })];
      case 'refusal':
        return [this.#chunk({ refusal: more })];
      default:
        return [this.#chunk({ content: more })];
    }
  }

  #end(stop: Stop, usage: Usage): Buffer[] {
    const last = this.#chunk({}, REASONS[stop]);
    const done = encodeEvent('', '[DONE]');
    if (!this.#at.includeUsage) return [last, done];
    const counted = { ...this.#base(), choices: [], usage: encodeUsage(usage) };
    return [last, encodeEvent('', JSON.stringify(counted)), done];
  }

  #chunk(delta: JsonRecord, finish: string | null = null): Buffer {
    const usage = this.#at.includeUsage ? { usage: null } : {};
    const choices = [{ index: 0, delta, logprobs: null, finish_reason: finish }];
    return encodeEvent('', JSON.stringify({ ...this.#base(), choices, ...usage }));
  }

  #base(): JsonRecord {
    return {
      id: this.#id,
      object: 'chat.completion.chunk',
      created: this.#at.createdAt,
      model: this.#at.model,
    };
  }
}

export const chatCodec: Codec = {
  path: '/chat/completions',
  decodeRequest,
  encodeRequest,
  decodeAnswer,
  encodeAnswer,
  newDecoder: () => new ChatDecoder(),
  newEncoder: (at) => new ChatEncoder(at),
  encodeFailure: openaiFailure,
};
