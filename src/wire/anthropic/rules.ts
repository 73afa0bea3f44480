/**
 * Invariants of a Messages stream: one message_start first; blocks open and close by index; deltas belong to the open
 * block and fit its kind; message_delta, then message_stop once. Unknown event and delta types pass.
 */
import { isRecord, type JsonRecord, numberOf, parseJson, tableOf } from '../../base/json.ts';
import type { ResponseFacts, ToolIntent } from '../../base/model.ts';
import { NO_USAGE, type Usage } from '../../base/usage.ts';
import { LIMITS } from '../limits.ts';
import { appended, collectIds, record, text } from '../read.ts';
import type { SseEvent } from '../sse.ts';
import type { StreamRules, Verdict } from '../stream.ts';
import { anthropicUsage, mergeUsage } from './usage.ts';

interface Block {
  readonly type: string;
  readonly id: string;
  readonly name: string;
  json: string;
}

const OBJECT_MEMBERS = new Set(['file_id']);

const DELTA_OF = tableOf<readonly string[]>({
  text_delta: ['text'],
  citations_delta: ['text'],
  input_json_delta: ['tool_use', 'server_tool_use', 'mcp_tool_use'],
  thinking_delta: ['thinking'],
  signature_delta: ['thinking'],
});

export class AnthropicRules implements StreamRules {
  #started = false;
  #ended = false;
  readonly #open = new Map<number, Block>();
  #lastIndex = -1;
  readonly #intents: ToolIntent[] = [];
  readonly #objects = new Set<string>();
  #usage: Usage | undefined;
  #id = '';
  #model = '';
  #stop = '';

  event(event: SseEvent): Verdict {
    const data = parseJson(event.data);
    if (!isRecord(data)) return { violation: 'an event is not a JSON object' };
    if (this.#ended) return 'pass';
    const type = text(data, 'type') || event.name;
    if (type === 'ping') return 'pass';
    if (type === 'error') {
      this.#ended = true;
      return 'error';
    }
    if (type === 'message_start') return this.#start(data);
    if (!this.#started) return { violation: `${type} before message_start` };
    switch (type) {
      case 'content_block_start':
        return this.#openBlock(data);
      case 'content_block_delta':
        return this.#delta(data);
      case 'content_block_stop':
        return this.#closeBlock(data);
      case 'message_delta':
        return this.#messageDelta(data);
      case 'message_stop':
        if (this.#open.size > 0) return { violation: 'message_stop while a content block is open' };
        this.#ended = true;
        return 'terminal';
      default:
        return 'pass';
    }
  }

  #start(data: JsonRecord): Verdict {
    if (this.#started) return { violation: 'message_start twice' };
    this.#started = true;
    const message = record(data.message);
    this.#id = text(message, 'id');
    this.#model = text(message, 'model');
    this.#usage = anthropicUsage(record(message.usage));
    return 'pass';
  }

  #openBlock(data: JsonRecord): Verdict {
    const index = numberOf(data.index);
    if (!(index > this.#lastIndex)) return { violation: `content block ${index} opened twice` };
    if (this.#open.size >= LIMITS.openBlocks.value) return { violation: 'too many open content blocks' };
    this.#lastIndex = index;
    const block = record(data.content_block);
    if (this.#objects.size < LIMITS.objects.value) collectIds(block, OBJECT_MEMBERS, this.#objects);
    this.#open.set(index, {
      type: text(block, 'type'),
      id: text(block, 'id'),
      name: text(block, 'name'),
      json: '',
    });
    return 'pass';
  }

  #delta(data: JsonRecord): Verdict {
    const index = numberOf(data.index);
    const block = this.#open.get(index);
    if (!block) return { violation: `a delta for content block ${index}, which is not open` };
    const delta = record(data.delta);
    const allowed = DELTA_OF[text(delta, 'type')];
    if (allowed && !allowed.includes(block.type) && block.type in KNOWN_BLOCKS) {
      return { violation: `${text(delta, 'type')} inside a ${block.type} block` };
    }
    if (delta.type === 'input_json_delta') block.json = appended(block.json, text(delta, 'partial_json'));
    return 'pass';
  }

  #closeBlock(data: JsonRecord): Verdict {
    const index = numberOf(data.index);
    const block = this.#open.get(index);
    if (!block) return { violation: `content_block_stop for block ${index}, which is not open` };
    this.#open.delete(index);
    if (block.type === 'tool_use' && this.#intents.length < LIMITS.intents.value)
      this.#intents.push({ id: block.id, name: block.name, argumentsText: block.json || '{}' });
    return 'pass';
  }

  #messageDelta(data: JsonRecord): Verdict {
    this.#usage = mergeUsage(this.#usage ?? NO_USAGE, record(data.usage));
    const delta = record(data.delta);
    const container = text(record(delta.container), 'id');
    if (container !== '') this.#objects.add(container);
    this.#stop = text(delta, 'stop_reason') || this.#stop;
    return 'pass';
  }

  facts(): ResponseFacts {
    return {
      ...(this.#usage ? { usage: this.#usage } : {}),
      responseId: this.#id,
      model: this.#model,
      stopReason: this.#stop,
      intents: this.#intents,
      objects: [...this.#objects],
    };
  }
}

const KNOWN_BLOCKS = tableOf<true>({
  text: true,
  tool_use: true,
  thinking: true,
  server_tool_use: true,
  mcp_tool_use: true,
});
