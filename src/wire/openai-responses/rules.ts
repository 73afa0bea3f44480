/**
 * Invariants of a Responses stream: `response.created` first, sequence numbers grow, one of completed, incomplete or
 * failed ends it. Unknown events pass.
 */
import { isRecord, parseJson } from '../../base/json.ts';
import type { ResponseFacts, ToolIntent } from '../../base/model.ts';
import { LIMITS } from '../limits.ts';
import { record, text } from '../read.ts';
import type { SseEvent } from '../sse.ts';
import type { StreamRules, Verdict } from '../stream.ts';
import { factsOf, intentOf } from './facts.ts';

const FAILED = 'response.failed';
const TERMINAL = new Set(['response.completed', 'response.incomplete', FAILED]);

export class ResponsesRules implements StreamRules {
  #started = false;
  #ended = false;
  #sequence = -1;
  #facts: ResponseFacts = { intents: [], objects: [] };
  readonly #intents = new Map<string, ToolIntent>();

  event(event: SseEvent): Verdict {
    if (event.data === '[DONE]') return 'pass';
    const data = parseJson(event.data);
    if (!isRecord(data)) return { violation: 'an event is not a JSON object' };
    const type = text(data, 'type') || event.name;
    if (TERMINAL.has(type) && this.#ended) return { violation: `${type} after the end` };
    if (this.#ended) return 'pass';
    if (type === 'error') {
      this.#ended = true;
      return 'error';
    }
    if (typeof data.sequence_number === 'number') {
      if (data.sequence_number <= this.#sequence) return { violation: 'sequence numbers do not grow' };
      this.#sequence = data.sequence_number;
    }
    if (type === 'response.created') {
      if (this.#started) return { violation: 'response.created twice' };
      this.#started = true;
      this.#facts = { ...factsOf(record(data.response)), intents: [] };
      return 'pass';
    }
    if (type.startsWith('response.') && !this.#started)
      return { violation: `${type} before response.created` };
    if (type === 'response.output_item.done') {
      for (const intent of intentOf(record(data.item))) this.#remember(intent);
    }
    if (!TERMINAL.has(type)) return 'pass';
    this.#ended = true;
    this.#facts = factsOf(record(data.response));
    for (const intent of this.#facts.intents) this.#remember(intent);
    return type === FAILED ? 'error' : 'terminal';
  }

  #remember(intent: ToolIntent): void {
    if (this.#intents.size < LIMITS.intents.value) this.#intents.set(intent.id, intent);
  }

  facts(): ResponseFacts {
    return { ...this.#facts, intents: [...this.#intents.values()] };
  }
}
