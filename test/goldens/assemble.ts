/** A streamed answer put together as the vendors' own SDKs do it, from their documents and from nothing in src/wire. */
import { type JsonRecord, parseJson } from '../../src/base/json.ts';
import type { NeutralDialect } from '../../src/base/model.ts';
import { inner, list, word } from './meaning.ts';

export interface Assembled {
  /** The whole answer; undefined while its end has not come. */
  readonly whole: JsonRecord | undefined;
  /** The message of the error event, if one came. */
  readonly error: string | undefined;
}

type Draft = { -readonly [K in keyof JsonRecord]: JsonRecord[K] };

/** The data of each event; a client ignores what is not whole. */
export const eventsOf = (stream: string): JsonRecord[] =>
  stream
    .split('\n\n')
    .slice(0, -1)
    .flatMap((event) => {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      return data === undefined ? [] : [data === '[DONE]' ? { type: '[DONE]' } : inner(parseJson(data))];
    });

function assembleMessages(events: readonly JsonRecord[]): JsonRecord | undefined {
  let message: Draft = {};
  const blocks: Draft[] = [];
  const inputs: string[] = [];
  for (const event of events) {
    const at = Number(event.index);
    const delta = inner(event.delta);
    const block = blocks[at];
    if (event.type === 'message_start') message = { ...inner(event.message) };
    else if (event.type === 'content_block_start') {
      if (at !== blocks.length) throw new Error(`block ${at} opens behind ${blocks.length} others`);
      blocks.push({ ...inner(event.content_block) });
    } else if (event.type === 'content_block_delta' && block) {
      for (const name of ['text', 'thinking', 'signature'])
        if (name in delta) block[name] = word(block[name]) + word(delta[name]);
      if (delta.type === 'input_json_delta') inputs[at] = (inputs[at] ?? '') + word(delta.partial_json);
    } else if (event.type === 'content_block_stop' && block && inputs[at])
      block.input = parseJson(inputs[at]) ?? null;
    else if (event.type === 'message_delta')
      message = { ...message, ...delta, usage: { ...inner(message.usage), ...inner(event.usage) } };
    else if (event.type === 'message_stop') return { ...message, content: blocks };
  }
  return undefined;
}

function assembleChat(events: readonly JsonRecord[]): JsonRecord | undefined {
  const message: Draft = {};
  const calls: Draft[] = [];
  let [usage, reason]: [JsonRecord, string] = [{}, ''];
  for (const event of events) {
    if (event.type === '[DONE]')
      return {
        ...events[0],
        usage,
        choices: [{ message: { ...message, tool_calls: calls }, finish_reason: reason }],
      };
    if (event.usage) usage = inner(event.usage);
    for (const choice of list(event.choices)) {
      reason = word(choice.finish_reason) || reason;
      const delta = inner(choice.delta);
      for (const name of ['content', 'refusal', 'reasoning_content', 'reasoning'])
        if (word(delta[name]) !== '') message[name] = word(message[name]) + word(delta[name]);
      for (const piece of list(delta.tool_calls)) addPiece(calls, piece);
    }
  }
  return undefined;
}

/** By index, unless an engine gives one index to two calls that have an id each. */
function addPiece(calls: Draft[], piece: JsonRecord): void {
  const known = calls.findLast(({ index }) => index === piece.index);
  const isNew = !known || (word(piece.id) !== '' && piece.id !== known.id);
  const call: Draft = isNew ? { index: piece.index ?? null } : known;
  if (isNew) calls.push(call);
  for (const name of ['id', 'type']) if (piece[name] !== undefined) call[name] = piece[name];
  for (const kind of ['function', 'custom']) {
    if (piece[kind] === undefined) continue;
    const made: Draft = { ...inner(call[kind]) };
    for (const [name, value] of Object.entries(inner(piece[kind])))
      made[name] = word(made[name]) + word(value);
    call[kind] = made;
  }
}

/** By its pieces, and compared with the whole that the last event carries. */
function assembleResponses(events: readonly JsonRecord[]): JsonRecord | undefined {
  const items: JsonRecord[] = [];
  const pieces = new Map<string, string>();
  for (const event of events) {
    const type = word(event.type);
    if (type.endsWith('.delta')) {
      const part = event.content_index ?? event.summary_index ?? 0;
      const key = `${String(event.output_index)}/${String(part)}/${type.split('.')[1]}`;
      pieces.set(key, (pieces.get(key) ?? '') + word(event.delta));
    } else if (type === 'response.output_item.done') {
      const item = inner(event.item);
      items[Number(event.output_index)] = item;
      for (const [key, text] of pieces)
        if (
          key.startsWith(`${String(event.output_index)}/`) &&
          !JSON.stringify(item).includes(JSON.stringify(text).slice(1, -1))
        )
          throw new Error(`the pieces of ${key} are not its whole: ${text}`);
    } else if (type === 'response.completed' || type === 'response.incomplete') {
      const response = inner(event.response);
      if (JSON.stringify(response.output) !== JSON.stringify(items))
        throw new Error('the items of the end are not those that were told');
      return response;
    }
  }
  return undefined;
}

const ASSEMBLE = {
  anthropic: assembleMessages,
  'openai-chat': assembleChat,
  'openai-responses': assembleResponses,
};

export function assemble(dialect: NeutralDialect, stream: string): Assembled {
  const events = eventsOf(stream);
  const failed = events.find((event) => event.error !== undefined && event.error !== null);
  const last = events.findLast((event) => event.type === 'response.failed');
  return {
    whole: ASSEMBLE[dialect](events),
    error: failed
      ? word(inner(failed.error).message)
      : last && word(inner(inner(last.response).error).message),
  };
}
