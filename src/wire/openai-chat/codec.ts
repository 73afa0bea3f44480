/** Answers and streams of Chat Completions to and from the neutral model. Of several choices the first one counts. */
import { isRecord, type JsonRecord, numberOf, parseJson, tableOf } from '../../base/json.ts';
import { NO_USAGE, type Usage } from '../../base/usage.ts';
import type { AnswerContext, Codec, EventDecoder, EventEncoder } from '../codec.ts';
import { errorOf, openaiFailure } from '../errors.ts';
import { members, records } from '../members.ts';
import type { NeutralAnswer, NeutralEvent, NeutralPart, OpenPart, Sealed, Stop } from '../neutral.ts';
import { openaiUsage } from '../openai-responses/usage.ts';
import { record, text } from '../read.ts';
import { encodeEvent, type SseEvent } from '../sse.ts';
import { CallOrder } from './calls.ts';
import { callOf, decodeCall, decodeContent, decodeRequest, encodeRequest, reasoningOf } from './request.ts';

const STOPS = tableOf<Stop>({
  stop: 'end',
  length: 'length',
  tool_calls: 'calls',
  function_call: 'calls',
  content_filter: 'filter',
});
const REASONS: Record<Stop, string> = {
  end: 'stop',
  length: 'length',
  calls: 'tool_calls',
  stop_sequence: 'stop',
  filter: 'content_filter',
  pause: 'stop',
};

/** Some engines say `stop` where the model called tools. */
function stopOf(reason: string, calls: boolean): Stop {
  const stop = STOPS[reason] ?? 'end';
  return stop === 'end' && calls ? 'calls' : stop;
}

function decodeAnswer(body: JsonRecord): NeutralAnswer | undefined {
  const choice = records(body.choices)[0];
  if (!choice) return undefined;
  const message = record(choice.message);
  const refusal = text(message, 'refusal');
  const calls = records(message.tool_calls).map(decodeCall);
  return {
    id: text(body, 'id'),
    model: text(body, 'model'),
    parts: [
      ...reasoningOf(message),
      ...decodeContent(message.content),
      ...(refusal === '' ? [] : [{ kind: 'refusal' as const, text: refusal, extras: {} }]),
      ...calls,
    ],
    stop: stopOf(text(choice, 'finish_reason'), calls.length > 0),
    usage: openaiUsage(record(body.usage)),
  };
}

const encodeUsage = (usage: Usage): JsonRecord => {
  const prompt = usage.input + usage.cacheRead + usage.cacheWrite;
  return {
    prompt_tokens: prompt,
    completion_tokens: usage.output,
    total_tokens: prompt + usage.output,
    prompt_tokens_details: { cached_tokens: usage.cacheRead, cache_write_tokens: usage.cacheWrite },
    completion_tokens_details: { reasoning_tokens: usage.reasoning },
  };
};

const chatId = (id: string): string => (id.startsWith('chatcmpl') ? id : `chatcmpl-${id}`);

function encodeAnswer(answer: NeutralAnswer, at: AnswerContext): JsonRecord {
  const joined = (kind: NeutralPart['kind']): string =>
    answer.parts.map((part) => (part.kind === kind && 'text' in part ? part.text : '')).join('');
  const calls = answer.parts.flatMap((part) => (part.kind === 'call' ? [callOf(part)] : []));
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
  #reason = '';
  #index = -1;
  /** What is open now: a kind, or a call by its number. */
  #open: string | undefined;
  /** Of the part that is open: its seal if it is a thought, and whether it is a call without a byte of input so far. */
  #sealed: Sealed | undefined;
  #isBare = false;
  readonly #calls = new CallOrder();
  #called = false;

  event(event: SseEvent): readonly NeutralEvent[] {
    if (event.data === '[DONE]') return this.#end();
    const chunk = parseJson(event.data);
    if (!isRecord(chunk)) return [];
    if (isRecord(chunk.error)) return [errorOf(chunk.error)];
    const events: NeutralEvent[] = [];
    if (!this.#started) {
      this.#started = true;
      events.push({ kind: 'start', id: text(chunk, 'id'), model: text(chunk, 'model') });
    }
    if (isRecord(chunk.usage)) this.#usage = openaiUsage(chunk.usage);
    for (const choice of records(chunk.choices)) {
      if (numberOf(choice.index ?? 0) !== 0) continue;
      events.push(...this.#delta(record(choice.delta)));
      this.#reason = text(choice, 'finish_reason') || this.#reason;
    }
    return events;
  }

  #delta(delta: JsonRecord): NeutralEvent[] {
    const [thought] = reasoningOf(delta);
    const events = [
      ...this.#grow('reasoning', thought?.text ?? '', thought?.sealed),
      ...this.#grow('text', text(delta, 'content')),
      ...this.#grow('refusal', text(delta, 'refusal')),
    ];
    for (const call of records(delta.tool_calls)) this.#calls.push(call);
    return [...events, ...this.#tell(false)];
  }

  #grow(kind: 'reasoning' | 'text' | 'refusal', more: string, sealed?: Sealed): NeutralEvent[] {
    if (more === '') return [];
    const opened = this.#open === kind ? [] : this.#begin(kind, { kind });
    this.#sealed = sealed;
    return [...opened, { kind: 'delta', index: this.#index, text: more }];
  }

  /** What may be told of the calls by now. */
  #tell(final: boolean): NeutralEvent[] {
    const events: NeutralEvent[] = [];
    for (let piece = this.#calls.take(final); piece; piece = this.#calls.take(final)) {
      const { id, name, namespace, input, custom } = piece;
      const key = `call ${piece.call}`;
      if (this.#open !== key) {
        events.push(...this.#begin(key, { kind: 'call', id, name, namespace, custom }));
        this.#isBare = !custom;
        this.#called = true;
      }
      if (input === '') continue;
      this.#isBare = false;
      events.push({ kind: 'delta', index: this.#index, text: input });
    }
    return events;
  }

  #begin(key: string, part: OpenPart): NeutralEvent[] {
    const closed = this.#close();
    this.#open = key;
    this.#index++;
    return [...closed, { kind: 'open', index: this.#index, part }];
  }

  #close(): NeutralEvent[] {
    if (this.#open === undefined) return [];
    const closed: NeutralEvent = { kind: 'close', index: this.#index, sealed: this.#sealed };
    const bare: NeutralEvent[] = this.#isBare ? [{ kind: 'delta', index: this.#index, text: '{}' }] : [];
    this.#open = undefined;
    this.#sealed = undefined;
    this.#isBare = false;
    return [...bare, closed];
  }

  #end(): NeutralEvent[] {
    const stop = stopOf(this.#reason, this.#called);
    return [...this.#tell(true), ...this.#close(), { kind: 'end', stop, usage: this.#usage }];
  }
}

class ChatEncoder implements EventEncoder {
  readonly #at: AnswerContext;
  #id = '';
  #calls = 0;
  readonly #open = new Map<number, { part: OpenPart; call: number }>();

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
        return [encodeEvent('', JSON.stringify(openaiFailure(500, event.message, event.code)))];
    }
  }

  #begin(index: number, part: OpenPart): Buffer[] {
    this.#open.set(index, { part, call: this.#calls });
    if (part.kind !== 'call') return [];
    const call = { index: this.#calls++, ...callOf({ ...part, input: '' }) };
    return [this.#chunk({ tool_calls: [call] })];
  }

  #delta(index: number, more: string): Buffer[] {
    const open = this.#open.get(index);
    switch (open?.part.kind) {
      case 'call': {
        const made = open.part.custom ? { custom: { input: more } } : { function: { arguments: more } };
        return [this.#chunk({ tool_calls: [{ index: open.call, ...made }] })];
      }
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
