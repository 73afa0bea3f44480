/** The answers of the scripted upstream, event by event, in the sequences of the real APIs. */
import { isRecord, type JsonRecord } from '../../src/base/json.ts';
import type { Usage } from '../../src/base/usage.ts';

export interface ToolUse {
  readonly id: string;
  readonly name: string;
  readonly args: JsonRecord;
}
export interface Answer {
  readonly id: string;
  readonly model: string;
  readonly text: string;
  readonly tools: readonly ToolUse[];
  readonly usage: Usage;
}

const named = (event: JsonRecord): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
const plain = (event: JsonRecord): string => `data: ${JSON.stringify(event)}\n\n`;
const halves = (text: string): string[] =>
  text.length < 2 ? [text] : [text.slice(0, text.length >> 1), text.slice(text.length >> 1)];

function messagesUsage(answer: Answer): JsonRecord {
  return {
    input_tokens: answer.usage.input,
    cache_read_input_tokens: answer.usage.cacheRead,
    cache_creation_input_tokens: answer.usage.cacheWrite,
    output_tokens: answer.usage.output,
  };
}

export function messagesBody(answer: Answer): JsonRecord {
  const text = answer.text === '' ? [] : [{ type: 'text', text: answer.text }];
  const tools = answer.tools.map(({ id, name, args }) => ({ type: 'tool_use', id, name, input: args }));
  return {
    id: answer.id,
    type: 'message',
    role: 'assistant',
    model: answer.model,
    content: [...text, ...tools],
    stop_reason: tools.length > 0 ? 'tool_use' : 'end_turn',
    stop_sequence: null,
    usage: messagesUsage(answer),
  };
}

export function messagesEvents(answer: Answer): string[] {
  const whole = messagesBody(answer);
  const start = {
    ...whole,
    content: [],
    stop_reason: null,
    usage: { ...messagesUsage(answer), output_tokens: 1 },
  };
  const events: JsonRecord[] = [{ type: 'message_start', message: start }];
  const blocks = whole.content as readonly JsonRecord[];
  for (const [index, block] of blocks.entries()) {
    const isText = block.type === 'text';
    events.push({
      type: 'content_block_start',
      index,
      content_block: isText ? { type: 'text', text: '' } : { ...block, input: {} },
    });
    if (index === 0) events.push({ type: 'ping' });
    for (const part of halves(isText ? String(block.text) : JSON.stringify(block.input)))
      events.push({
        type: 'content_block_delta',
        index,
        delta: isText ? { type: 'text_delta', text: part } : { type: 'input_json_delta', partial_json: part },
      });
    events.push({ type: 'content_block_stop', index });
  }
  events.push({
    type: 'message_delta',
    delta: { stop_reason: whole.stop_reason as string, stop_sequence: null },
    usage: messagesUsage(answer),
  });
  events.push({ type: 'message_stop' });
  return events.map(named);
}

function chatUsage(answer: Answer): JsonRecord {
  const { input, cacheRead, output, reasoning } = answer.usage;
  return {
    prompt_tokens: input + cacheRead,
    completion_tokens: output,
    total_tokens: input + cacheRead + output,
    prompt_tokens_details: { cached_tokens: cacheRead },
    completion_tokens_details: { reasoning_tokens: reasoning },
  };
}

const chatCalls = (answer: Answer) =>
  answer.tools.map(({ id, name, args }) => ({
    id,
    type: 'function',
    function: { name, arguments: JSON.stringify(args) },
  }));

export function chatBody(answer: Answer): JsonRecord {
  const calls = chatCalls(answer);
  const message = {
    role: 'assistant',
    content: answer.text === '' ? null : answer.text,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  return {
    id: answer.id,
    object: 'chat.completion',
    created: 1,
    model: answer.model,
    choices: [{ index: 0, message, finish_reason: calls.length > 0 ? 'tool_calls' : 'stop' }],
    usage: chatUsage(answer),
  };
}

export function chatEvents(answer: Answer, withUsage: boolean): string[] {
  const base = { id: answer.id, object: 'chat.completion.chunk', created: 1, model: answer.model };
  const chunk = (delta: JsonRecord, finish: string | null = null) =>
    plain({
      ...base,
      choices: [{ index: 0, delta, finish_reason: finish }],
      ...(withUsage ? { usage: null } : {}),
    });
  const events = [chunk({ role: 'assistant', content: '' })];
  if (answer.text !== '') for (const part of halves(answer.text)) events.push(chunk({ content: part }));
  for (const [index, { id, type, function: called }] of chatCalls(answer).entries()) {
    const opening = { index, id, type, function: { name: called.name, arguments: '' } };
    events.push(chunk({ tool_calls: [opening] }));
    for (const part of halves(called.arguments))
      events.push(chunk({ tool_calls: [{ index, function: { arguments: part } }] }));
  }
  events.push(chunk({}, answer.tools.length > 0 ? 'tool_calls' : 'stop'));
  if (withUsage) events.push(plain({ ...base, choices: [], usage: chatUsage(answer) }));
  events.push('data: [DONE]\n\n');
  return events;
}

/** The output items; a tool that the request declares as `custom` gets its input as text. */
function responsesItems(answer: Answer, offered: OfferedTools): JsonRecord[] {
  const items: JsonRecord[] = [];
  if (answer.text !== '')
    items.push({
      id: `msg_${answer.id}`,
      type: 'message',
      status: 'completed',
      role: 'assistant',
      content: [{ type: 'output_text', text: answer.text, annotations: [], logprobs: [] }],
    });
  for (const { id, name, args } of answer.tools) {
    const { type, namespace } = offered.get(name) ?? {};
    const item = {
      id: `item_${id}`,
      status: 'completed',
      call_id: id,
      name,
      ...(namespace === undefined ? {} : { namespace }),
    };
    if (type === 'custom') items.push({ ...item, type: 'custom_tool_call', input: String(args.input) });
    else items.push({ ...item, type: 'function_call', arguments: JSON.stringify(args) });
  }
  return items;
}

export function responsesBody(answer: Answer, offered: OfferedTools): JsonRecord {
  const { input, cacheRead, output, reasoning } = answer.usage;
  return {
    id: answer.id,
    object: 'response',
    created_at: 1,
    status: 'completed',
    error: null,
    incomplete_details: null,
    model: answer.model,
    output: responsesItems(answer, offered),
    usage: {
      input_tokens: input + cacheRead,
      input_tokens_details: { cached_tokens: cacheRead },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: reasoning },
      total_tokens: input + cacheRead + output,
    },
  };
}

export function responsesEvents(answer: Answer, offered: OfferedTools): string[] {
  const whole = responsesBody(answer, offered);
  const events: JsonRecord[] = [];
  const push = (type: string, rest: JsonRecord) =>
    events.push({ type, sequence_number: events.length, ...rest });
  const open = { ...whole, status: 'in_progress', output: [], usage: null };
  push('response.created', { response: open });
  push('response.in_progress', { response: open });
  for (const [index, item] of (whole.output as readonly JsonRecord[]).entries()) {
    const at = { item_id: String(item.id), output_index: index };
    push('response.output_item.added', { output_index: index, item: opened(item) });
    if (item.type === 'message') pushText(push, at, item);
    else pushArguments(push, at, item);
    push('response.output_item.done', { output_index: index, item });
  }
  push('response.completed', { response: whole });
  return events.map(named);
}

type Push = (type: string, rest: JsonRecord) => void;

function opened(item: JsonRecord): JsonRecord {
  const empty =
    item.type === 'message' ? { content: [] } : 'input' in item ? { input: '' } : { arguments: '' };
  return { ...item, ...empty, status: 'in_progress' };
}

function pushText(push: Push, at: JsonRecord, item: JsonRecord): void {
  const part = (item.content as readonly JsonRecord[])[0] as JsonRecord;
  const place = { ...at, content_index: 0 };
  push('response.content_part.added', { ...place, part: { ...part, text: '' } });
  for (const delta of halves(String(part.text)))
    push('response.output_text.delta', { ...place, delta, logprobs: [] });
  push('response.output_text.done', { ...place, text: String(part.text), logprobs: [] });
  push('response.content_part.done', { ...place, part });
}

function pushArguments(push: Push, at: JsonRecord, item: JsonRecord): void {
  const custom = item.type === 'custom_tool_call';
  const kind = custom ? 'response.custom_tool_call_input' : 'response.function_call_arguments';
  const text = String(custom ? item.input : item.arguments);
  for (const delta of halves(text)) push(`${kind}.delta`, { ...at, delta });
  push(`${kind}.done`, { ...at, [custom ? 'input' : 'arguments']: text });
}

/** Every tool a request offers, by name. */
export type OfferedTools = ReadonlyMap<string, { readonly type: string; readonly namespace?: string }>;

/** Reads `tools`, the namespaces in it, and Codex's `additional_tools` input items. */
export function offeredTools(body: JsonRecord): OfferedTools {
  const found = new Map<string, { type: string; namespace?: string }>();
  const collect = (tools: unknown, namespace?: string) => {
    if (!Array.isArray(tools)) return;
    for (const tool of tools) {
      if (!isRecord(tool)) continue;
      const name = isRecord(tool.function) ? tool.function.name : tool.name;
      const type = String(tool.type ?? 'function');
      if (typeof name === 'string' && type !== 'namespace')
        found.set(name, { type, ...(namespace === undefined ? {} : { namespace }) });
      collect(tool.tools, typeof name === 'string' ? name : undefined);
    }
  };
  collect(body.tools);
  if (Array.isArray(body.input)) for (const item of body.input) if (isRecord(item)) collect(item.tools);
  return found;
}
