/** A complete Chat answer: the message of its one choice as the next request holds it, and its tool calls. */
import { isRecord, type Json, type JsonRecord, numberOf, parseJson } from '../../base/json.ts';
import { answerEvents, elementTexts, isWhole, memberText, readArguments } from '../answer.ts';
import type { Answer, AskedCall, RefusedCall } from '../dialect.ts';
import { record, text } from '../read.ts';
import { appendElements } from '../transforms/held.ts';

export function readAnswer(body: Uint8Array): Answer | undefined {
  const messages = isWhole(body) ? wholeMessages(body) : streamedMessages(body);
  if (!messages) return undefined;
  return {
    // Which of several choices the client would go on with is its own business.
    items: messages.length === 1 ? messages : undefined,
    calls: messages.flatMap((message) => callsOf(record(parseJson(message)))),
  };
}

function wholeMessages(body: Uint8Array): string[] | undefined {
  const choices = elementTexts(body, 'choices');
  return choices?.map((choice) => memberText(choice, 'message') ?? 'null');
}

function streamedMessages(stream: Uint8Array): string[] {
  const messages = new Map<number, JsonRecord>();
  for (const { data } of answerEvents(stream)) {
    for (const choice of Array.isArray(data.choices) ? data.choices : []) {
      if (!isRecord(choice)) continue;
      const index = numberOf(choice.index);
      messages.set(index, merge(messages.get(index) ?? {}, record(choice.delta)));
    }
  }
  return [...messages.values()].map((message) => JSON.stringify(asMessage(message)));
}

/** What comes once and may be repeated; all other texts grow. */
const ONCE = new Set(['role', 'id', 'type', 'name']);

function merge(have: JsonRecord, delta: JsonRecord): JsonRecord {
  const merged: Record<string, Json> = { ...have };
  for (const [name, more] of Object.entries(delta)) {
    const known = merged[name];
    if (more === null) merged[name] ??= null;
    else if (Array.isArray(more)) merged[name] = mergeParts(Array.isArray(known) ? known : [], more);
    else if (isRecord(more)) merged[name] = merge(record(known), more);
    else if (typeof more !== 'string' || typeof known !== 'string') merged[name] = more;
    else if (!ONCE.has(name)) merged[name] = known + more;
    else if (known === '') merged[name] = more;
  }
  return merged;
}

/** Parts with an index grow in place; others follow. */
function mergeParts(have: readonly Json[], more: readonly Json[]): Json[] {
  const parts = [...have];
  for (const part of more) {
    const index = record(part).index;
    const at = typeof index === 'number' ? parts.findIndex((known) => record(known).index === index) : -1;
    if (at === -1) parts.push(isRecord(part) ? merge({}, part) : part);
    else parts[at] = merge(record(parts[at]), record(part));
  }
  return parts;
}

/** The index of a tool call belongs to the stream alone. */
function asMessage(message: JsonRecord): JsonRecord {
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls.filter(isRecord) : [];
  const { tool_calls: _calls, ...rest } = message;
  const plain = { role: 'assistant', content: null, ...rest };
  if (calls.length === 0) return plain;
  return { ...plain, tool_calls: calls.map(({ index: _index, ...call }) => ({ type: 'function', ...call })) };
}

function callsOf(message: JsonRecord): AskedCall[] {
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls.filter(isRecord) : [];
  return calls.map((call) => {
    const custom = isRecord(call.custom);
    const made = record(custom ? call.custom : call.function);
    return {
      id: text(call, 'id'),
      name: text(made, 'name'),
      input: custom ? { input: text(made, 'input') } : readArguments(text(made, 'arguments')),
      type: custom ? 'custom' : 'function',
    };
  });
}

export function continueRefused(
  body: Uint8Array,
  answer: Answer,
  results: readonly RefusedCall[],
): Buffer | undefined {
  if (!answer.items) return undefined;
  const refused = results.map(({ call, text: content }) =>
    JSON.stringify({ role: 'tool', tool_call_id: call.id, content }),
  );
  return appendElements(body, 'messages', [...answer.items, ...refused]);
}
