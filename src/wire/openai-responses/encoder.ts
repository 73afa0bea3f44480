/** Answers and streams of the Responses API from the neutral model. */
import type { JsonRecord } from '../../base/json.ts';
import type { Usage } from '../../base/usage.ts';
import type { AnswerContext, EventEncoder } from '../codec.ts';
import { openaiFailure } from '../errors.ts';
import type { NeutralAnswer, NeutralEvent, NeutralPart, OpenPart, Sealed, Stop } from '../neutral.ts';
import { seal } from '../seal.ts';
import { encodeEvent } from '../sse.ts';
import { callItem } from './items.ts';

const responseId = (id: string): string => (id.startsWith('resp_') ? id : `resp_${id}`);

const encodeUsage = (usage: Usage): JsonRecord => {
  const input = usage.input + usage.cacheRead + usage.cacheWrite;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cacheRead, cache_write_tokens: usage.cacheWrite },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: input + usage.output,
  };
};

function responseOf(
  id: string,
  at: AnswerContext,
  output: readonly JsonRecord[],
  end: { readonly stop: Stop; readonly usage: Usage } | undefined,
): JsonRecord {
  const cut = end?.stop === 'length' ? 'max_output_tokens' : end?.stop === 'filter' ? 'content_filter' : null;
  return {
    id: responseId(id),
    object: 'response',
    created_at: at.createdAt,
    status: end === undefined ? 'in_progress' : cut === null ? 'completed' : 'incomplete',
    error: null,
    incomplete_details: cut === null ? null : { reason: cut },
    model: at.model,
    output,
    parallel_tool_calls: true,
    tool_choice: 'auto',
    tools: [],
    usage: end === undefined ? null : encodeUsage(end.usage),
  };
}

export function encodeAnswer(answer: NeutralAnswer, at: AnswerContext): JsonRecord {
  const output = answer.parts.flatMap((part, index) => itemOf(part, `${index}_${answer.id}`));
  return responseOf(answer.id, at, output, answer);
}

function itemOf(part: NeutralPart, id: string): JsonRecord[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return [messageItem(id, contentPart(part.kind, part.text), 'completed')];
    case 'reasoning':
      return [reasoningItem(id, part.text, part.sealed)];
    case 'call':
      return [{ id: `fc_${id}`, ...callItem(part), status: 'completed' }];
    default:
      return [];
  }
}

const contentPart = (kind: 'text' | 'refusal', text: string): JsonRecord =>
  kind === 'text'
    ? { type: 'output_text', text, annotations: [], logprobs: [] }
    : { type: 'refusal', refusal: text };

const messageItem = (id: string, content: JsonRecord | undefined, status: string): JsonRecord => ({
  id: `msg_${id}`,
  type: 'message',
  status,
  role: 'assistant',
  content: content ? [content] : [],
});

/** What this API sealed comes back as it was; thoughts of others are shown as a summary, their seal in its place. */
function reasoningItem(id: string, text: string, sealed: Sealed | undefined): JsonRecord {
  if (sealed?.dialect === 'openai-responses') return sealed.item;
  const summary = text === '' ? [] : [{ type: 'summary_text', text }];
  const item = { id: `rs_${id}`, type: 'reasoning', summary };
  return sealed ? { ...item, encrypted_content: seal(sealed) } : item;
}

interface Open {
  readonly part: OpenPart;
  /** Place of the item in the output. */
  readonly at: number;
  readonly id: string;
  text: string;
}

export class ResponsesEncoder implements EventEncoder {
  readonly #at: AnswerContext;
  #id = '';
  #sequence = 0;
  readonly #output: JsonRecord[] = [];
  readonly #open = new Map<number, Open>();

  constructor(at: AnswerContext) {
    this.#at = at;
  }

  event(event: NeutralEvent): readonly Buffer[] {
    switch (event.kind) {
      case 'start': {
        this.#id = event.id;
        const response = responseOf(event.id, this.#at, [], undefined);
        return [
          this.#framed('response.created', { response }),
          this.#framed('response.in_progress', { response }),
        ];
      }
      case 'open':
        return this.#begin(event.index, event.part);
      case 'delta':
        return this.#delta(event.index, event.text);
      case 'close':
        return this.#close(event.index, event.sealed);
      case 'end': {
        const response = responseOf(this.#id, this.#at, this.#output, event);
        return [this.#framed(`response.${String(response.status)}`, { response })];
      }
      case 'error': {
        const { error } = openaiFailure(500, event.message, event.code);
        const { type, code, message } = error;
        return [this.#framed('error', { code: code ?? type, message, param: null, error })];
      }
    }
  }

  #begin(index: number, part: OpenPart): Buffer[] {
    const at = this.#output.length;
    const open: Open = { part, at, id: `${at}_${this.#id}`, text: '' };
    this.#open.set(index, open);
    // Its place is taken until it is whole.
    this.#output.push({});
    const item = { output_index: at, item: this.#item(open, 'in_progress', undefined) };
    const added = this.#framed('response.output_item.added', item);
    if (part.kind === 'call') return [added];
    const inner =
      part.kind === 'reasoning'
        ? this.#within(open, 'response.reasoning_summary_part.added', {
            part: { type: 'summary_text', text: '' },
          })
        : this.#within(open, 'response.content_part.added', { part: contentPart(part.kind, '') });
    return [added, inner];
  }

  #delta(index: number, more: string): Buffer[] {
    const open = this.#open.get(index);
    if (!open) return [];
    open.text += more;
    return [this.#within(open, `response.${streamOf(open.part)}.delta`, { delta: more })];
  }

  #close(index: number, sealed: Sealed | undefined): Buffer[] {
    const open = this.#open.get(index);
    if (!open) return [];
    this.#open.delete(index);
    const item = this.#item(open, 'completed', sealed);
    this.#output[open.at] = item;
    const events = [this.#within(open, `response.${streamOf(open.part)}.done`, doneMembers(open))];
    if (open.part.kind === 'reasoning')
      events.push(
        this.#within(open, 'response.reasoning_summary_part.done', {
          part: { type: 'summary_text', text: open.text },
        }),
      );
    else if (open.part.kind !== 'call')
      events.push(
        this.#within(open, 'response.content_part.done', { part: contentPart(open.part.kind, open.text) }),
      );
    events.push(this.#framed('response.output_item.done', { output_index: open.at, item }));
    return events;
  }

  #item(open: Open, status: string, sealed: Sealed | undefined): JsonRecord {
    const { part, id, text } = open;
    if (part.kind === 'call') {
      const call = callItem({ ...part, input: text, extras: {} });
      return { id: `fc_${id}`, ...call, status };
    }
    if (part.kind === 'reasoning')
      // Its id stays the one the stream began with.
      return { ...reasoningItem(id, text, sealed), id: `rs_${id}` };
    return messageItem(id, status === 'completed' ? contentPart(part.kind, text) : undefined, status);
  }

  /** An event inside an item. */
  #within(open: Open, type: string, more: JsonRecord): Buffer {
    const prefix = open.part.kind === 'call' ? 'fc' : open.part.kind === 'reasoning' ? 'rs' : 'msg';
    const place =
      open.part.kind === 'call'
        ? {}
        : open.part.kind === 'reasoning'
          ? { summary_index: 0 }
          : { content_index: 0 };
    return this.#framed(type, { item_id: `${prefix}_${open.id}`, output_index: open.at, ...place, ...more });
  }

  #framed(type: string, more: JsonRecord): Buffer {
    return encodeEvent(type, JSON.stringify({ type, ...more, sequence_number: this.#sequence++ }));
  }
}

function streamOf(part: OpenPart): string {
  switch (part.kind) {
    case 'text':
      return 'output_text';
    case 'refusal':
      return 'refusal';
    case 'reasoning':
      return 'reasoning_summary_text';
    case 'call':
      return part.custom ? 'custom_tool_call_input' : 'function_call_arguments';
  }
}

function doneMembers({ part, text }: Open): JsonRecord {
  if (part.kind === 'call') return part.custom ? { input: text } : { arguments: text, name: part.name };
  return part.kind === 'refusal' ? { refusal: text } : { text };
}
