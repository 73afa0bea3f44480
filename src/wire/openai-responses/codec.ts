/** Answers and streams of the Responses API to the neutral model, and the codec as a whole. */
import { isRecord, type JsonRecord, numberOf, parseJson, stringOf } from '../../base/json.ts';
import { NO_USAGE } from '../../base/usage.ts';
import type { Codec, EventDecoder } from '../codec.ts';
import { errorOf, openaiFailure } from '../errors.ts';
import { records } from '../members.ts';
import type { NeutralAnswer, NeutralEvent, NeutralPart, OpenPart, Stop } from '../neutral.ts';
import { record, text } from '../read.ts';
import type { SseEvent } from '../sse.ts';
import { encodeAnswer, ResponsesEncoder } from './encoder.ts';
import { decodeCall, decodeOutputItem, decodeReasoning } from './items.ts';
import { decodeRequest, encodeRequest } from './request.ts';
import { openaiUsage } from './usage.ts';

function decodeAnswer(body: JsonRecord): NeutralAnswer | undefined {
  // One that failed is no answer, though its status says 200.
  return body.object === 'response' && body.status !== 'failed' ? decodeResponse(body) : undefined;
}

function decodeResponse(body: JsonRecord): NeutralAnswer {
  const parts = records(body.output).flatMap(decodeOutputItem);
  return {
    id: text(body, 'id'),
    model: text(body, 'model'),
    parts,
    stop: stopOf(body, parts),
    usage: isRecord(body.usage) ? openaiUsage(body.usage) : NO_USAGE,
  };
}

function stopOf(response: JsonRecord, parts: readonly NeutralPart[]): Stop {
  const reason = text(record(response.incomplete_details), 'reason');
  if (reason === 'max_output_tokens') return 'length';
  if (reason === 'content_filter') return 'filter';
  return parts.some((part) => part.kind === 'call') ? 'calls' : 'end';
}

class ResponsesDecoder implements EventDecoder {
  #index = -1;
  /** The open part of each item and content place: `output_index/content_index`. */
  readonly #open = new Map<string, number>();
  /** The places that were told, open or closed. */
  readonly #told = new Set<string>();
  /** Parts that grew: an item whose text came only at its end is told then. */
  readonly #grown = new Set<number>();

  event(event: SseEvent): readonly NeutralEvent[] {
    const data = parseJson(event.data);
    if (!isRecord(data)) return [];
    const at = stringOf(data.output_index);
    switch (text(data, 'type')) {
      case 'response.created': {
        const response = record(data.response);
        return [{ kind: 'start', id: text(response, 'id'), model: text(response, 'model') }];
      }
      case 'response.output_item.added':
        return this.#added(at, record(data.item));
      case 'response.content_part.added':
        return this.#contentAdded(`${at}/${stringOf(data.content_index)}`, record(data.part));
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        return this.#delta(`${at}/${stringOf(data.content_index)}`, text(data, 'delta'));
      case 'response.reasoning_summary_part.added':
        // Summaries are paragraphs: whole, they are told apart by a blank line.
        return numberOf(data.summary_index) > 0 ? this.#delta(at, '\n\n') : [];
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        return this.#delta(at, text(data, 'delta'));
      case 'response.content_part.done':
        return this.#close(`${at}/${stringOf(data.content_index)}`, partText(record(data.part)));
      case 'response.output_item.done':
        return this.#done(at, record(data.item));
      case 'response.completed':
      case 'response.incomplete':
        return this.#end(record(data.response));
      case 'response.failed':
        return [errorOf(record(record(data.response).error))];
      case 'error':
        // Some servers nest it.
        return [errorOf(isRecord(data.error) ? data.error : data)];
      default:
        return [];
    }
  }

  #added(at: string, item: JsonRecord): readonly NeutralEvent[] {
    if (item.type === 'reasoning') return this.#begin(at, { kind: 'reasoning' });
    if (item.type !== 'function_call' && item.type !== 'custom_tool_call') return [];
    const { id, name, namespace, custom } = decodeCall(item);
    return this.#begin(at, { kind: 'call', id, name, namespace, custom });
  }

  #contentAdded(at: string, part: JsonRecord): readonly NeutralEvent[] {
    if (part.type === 'refusal') return this.#begin(at, { kind: 'refusal' });
    return part.type === 'output_text' ? this.#begin(at, { kind: 'text' }) : [];
  }

  #begin(at: string, part: OpenPart): readonly NeutralEvent[] {
    this.#index++;
    this.#told.add(at);
    this.#open.set(at, this.#index);
    return [{ kind: 'open', index: this.#index, part }];
  }

  #delta(at: string, more: string): readonly NeutralEvent[] {
    const index = this.#open.get(at);
    if (index === undefined || more === '') return [];
    this.#grown.add(index);
    return [{ kind: 'delta', index, text: more }];
  }

  #done(at: string, item: JsonRecord): readonly NeutralEvent[] {
    if (item.type === 'reasoning') {
      const { text: thought, sealed } = decodeReasoning(item);
      return this.#close(at, thought, sealed);
    }
    if (item.type === 'message')
      return records(item.content).flatMap((part, i) => this.#late(`${at}/${i}`, part));
    const isCall = item.type === 'function_call' || item.type === 'custom_tool_call';
    return isCall ? this.#close(at, decodeCall(item).input) : [];
  }

  /** A part of a message that came only with its whole item. */
  #late(at: string, part: JsonRecord): readonly NeutralEvent[] {
    if (this.#told.has(at)) return [];
    return [...this.#contentAdded(at, part), ...this.#close(at, partText(part))];
  }

  #close(
    at: string,
    whole: string,
    sealed?: NonNullable<Extract<NeutralEvent, { kind: 'close' }>['sealed']>,
  ) {
    const index = this.#open.get(at);
    if (index === undefined) return [];
    this.#open.delete(at);
    const late: NeutralEvent[] =
      whole !== '' && !this.#grown.has(index) ? [{ kind: 'delta', index, text: whole }] : [];
    const closed: NeutralEvent = { kind: 'close', index, sealed };
    return [...late, closed];
  }

  #end(response: JsonRecord): readonly NeutralEvent[] {
    const left = [...this.#open.values()].map((index): NeutralEvent => ({ kind: 'close', index }));
    const { stop, usage } = decodeResponse(response);
    return [...left, { kind: 'end', stop, usage }];
  }
}

const partText = (part: JsonRecord): string => text(part, 'text') || text(part, 'refusal');

export const responsesCodec: Codec = {
  path: '/responses',
  decodeRequest,
  encodeRequest,
  decodeAnswer,
  encodeAnswer,
  newDecoder: () => new ResponsesDecoder(),
  newEncoder: (at) => new ResponsesEncoder(at),
  encodeFailure: openaiFailure,
};
