/** Invariants of a Chat stream: JSON chunks, then `[DONE]` once and last. Usage may come in a chunk without choices. */
import { isRecord, type JsonRecord, parseJson, stringOf } from '../../base/json.ts';
import type { ResponseFacts } from '../../base/model.ts';
import type { Usage } from '../../base/usage.ts';
import { LIMITS } from '../limits.ts';
import { openaiUsage } from '../openai-responses/usage.ts';
import { appended, record, text } from '../read.ts';
import type { SseEvent } from '../sse.ts';
import type { StreamRules, Verdict } from '../stream.ts';

interface Call {
  id: string;
  name: string;
  arguments: string;
}

export class ChatRules implements StreamRules {
  #ended = false;
  #usage: Usage | undefined;
  #id = '';
  #model = '';
  #stop = '';
  readonly #calls = new Map<string, Call>();

  event(event: SseEvent): Verdict {
    if (event.data === '[DONE]') {
      if (this.#ended) return { violation: '[DONE] twice' };
      this.#ended = true;
      return 'terminal';
    }
    if (this.#ended) return { violation: 'a chunk after [DONE]' };
    const chunk = parseJson(event.data);
    if (!isRecord(chunk)) return { violation: 'a chunk is not a JSON object' };
    if (isRecord(chunk.error)) {
      this.#ended = true;
      return 'error';
    }
    this.#id ||= text(chunk, 'id');
    this.#model ||= text(chunk, 'model');
    if (isRecord(chunk.usage)) this.#usage = openaiUsage(chunk.usage);
    for (const choice of Array.isArray(chunk.choices) ? chunk.choices : [])
      if (isRecord(choice)) this.#choice(choice);
    return 'pass';
  }

  #choice(choice: JsonRecord): void {
    this.#stop = text(choice, 'finish_reason') || this.#stop;
    const calls = record(choice.delta).tool_calls;
    for (const part of Array.isArray(calls) ? calls : []) {
      if (!isRecord(part)) continue;
      const key = `${stringOf(choice.index)}/${stringOf(part.index)}`;
      const call = this.#calls.get(key) ?? { id: '', name: '', arguments: '' };
      if (this.#calls.size < LIMITS.intents.value) this.#calls.set(key, call);
      const made = record(part.function ?? part.custom);
      call.id ||= text(part, 'id');
      call.name ||= text(made, 'name');
      call.arguments = appended(call.arguments, text(made, 'arguments') || text(made, 'input'));
    }
  }

  facts(): ResponseFacts {
    return {
      ...(this.#usage ? { usage: this.#usage } : {}),
      responseId: this.#id,
      model: this.#model,
      stopReason: this.#stop,
      intents: [...this.#calls.values()].map((call) => ({
        id: call.id,
        name: call.name,
        argumentsText: call.arguments,
      })),
      objects: [],
    };
  }
}
