/** A complete Responses answer: its output items as they came, encrypted reasoning too, and its tool calls. */
import { isRecord, type Json, type JsonRecord, numberOf, parseJson } from '../../base/json.ts';
import { answerEvents, elementTexts, isWhole, memberText, readArguments } from '../answer.ts';
import type { Answer, AskedCall, RefusedCall } from '../dialect.ts';
import { record, text } from '../read.ts';
import { scanBody, textOf } from '../scan.ts';
import { appendElements } from '../transforms/held.ts';

export function readAnswer(body: Uint8Array): Answer | undefined {
  const items = isWhole(body) ? wholeItems(body) : streamedItems(body);
  if (!items) return undefined;
  const parsed = items.map((item) => record(parseJson(item)));
  // A call whose result is in the same answer ran at the provider.
  const ran = new Set(
    parsed.filter((item) => text(item, 'type').endsWith('_output')).map((item) => text(item, 'call_id')),
  );
  return { items, calls: parsed.flatMap(callOf).filter((call) => !ran.has(call.id)) };
}

/** A stored response that is still being made has no output yet; other objects never have. */
function wholeItems(body: Uint8Array): string[] | undefined {
  return elementTexts(body, 'output') ?? (parseJson(Buffer.from(body).toString()) ? [] : undefined);
}

/** The items as they were done; where an upstream leaves those events out, the terminal event's. */
function streamedItems(stream: Uint8Array): string[] {
  const done = new Map<number, string>();
  let last: string[] = [];
  for (const { data, json } of answerEvents(stream)) {
    if (data.type === 'response.output_item.done')
      done.set(numberOf(data.output_index ?? done.size), memberText(json, 'item') ?? 'null');
    const response = isRecord(data.response) ? memberText(json, 'response') : undefined;
    if (response !== undefined) last = elementTexts(Buffer.from(response), 'output') ?? [];
  }
  const items = [...done].sort(([a], [b]) => a - b).map(([, item]) => item);
  return items.length >= last.length ? items : last;
}

function callOf(item: JsonRecord): AskedCall[] {
  const type = text(item, 'type');
  const id = text(item, 'call_id');
  const input = inputOf(type, item);
  if (input === 'none' || id === '') return [];
  const name = text(item, 'name') || type.replace(/_call$/, '');
  return [{ id, name, input, type }];
}

/** What the client would run, in the words that access policies read; `none`: no call of the client's. */
function inputOf(type: string, item: JsonRecord): JsonRecord | undefined | 'none' {
  switch (type) {
    case 'function_call':
      return readArguments(text(item, 'arguments'));
    case 'custom_tool_call':
      return { input: text(item, 'input') };
    case 'local_shell_call':
    case 'computer_call':
      return record(item.action);
    case 'shell_call': {
      const action = record(item.action);
      const commands = Array.isArray(action.commands) ? action.commands.map(String) : [];
      return { ...action, command: commands.join('\n') };
    }
    case 'apply_patch_call': {
      const operation = record(item.operation);
      return { ...operation, patch: patchText(operation) };
    }
    default:
      return 'none';
  }
}

const PATCH_WORDS: Readonly<Record<string, string>> = { create_file: 'Add', delete_file: 'Delete' };
const patchText = (operation: JsonRecord): string =>
  `*** ${PATCH_WORDS[text(operation, 'type')] ?? 'Update'} File: ${text(operation, 'path')}\n${text(operation, 'diff')}`;

export function continueRefused(
  body: Uint8Array,
  answer: Answer,
  results: readonly RefusedCall[],
): Buffer | undefined {
  const refused = results.map(({ call, text: said }) => resultOf(call, said));
  const known = refused.filter((item) => item !== undefined);
  if (!answer.items || known.length < refused.length) return undefined;
  const scan = scanBody(body, []);
  if ('problem' in scan) return undefined;
  const memberOf = (name: string): Json => {
    const range = scan.members.get(name);
    return (range && parseJson(textOf(body, range))) ?? null;
  };
  // A conversation that lives upstream holds the answer's items already.
  const items = memberOf('conversation') === null ? replayed(answer.items, memberOf('store') !== false) : [];
  return appendElements(body, 'input', [...items, ...known.map((item) => JSON.stringify(item))]);
}

/**
 * Without storage upstream only encrypted reasoning can be sent again. Where an item has none, reasoning is left out
 * and the rest forgets its ids, which would ask for it.
 */
function replayed(items: readonly string[], stored: boolean): readonly string[] {
  const parsed = items.map((item) => record(parseJson(item)));
  const lost = parsed.some((item) => item.type === 'reasoning' && typeof item.encrypted_content !== 'string');
  if (stored || !lost) return items;
  return parsed
    .filter((item) => item.type !== 'reasoning')
    .map(({ id: _id, ...item }) => JSON.stringify(item));
}

/** Undefined for calls whose result cannot be a text. */
function resultOf(call: AskedCall, said: string): JsonRecord | undefined {
  const result = { type: `${call.type}_output`, call_id: call.id };
  switch (call.type) {
    case 'function_call':
    case 'custom_tool_call':
    case 'local_shell_call':
      return { ...result, output: said };
    case 'shell_call':
      return { ...result, output: [{ stdout: '', stderr: said, outcome: { type: 'exit', exit_code: 1 } }] };
    case 'apply_patch_call':
      return { ...result, status: 'failed', output: said };
    default:
      return undefined;
  }
}
