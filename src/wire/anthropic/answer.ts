/** A complete Messages answer: its content blocks as texts, thinking and signatures as they came, and its tool calls. */
import { type Json, type JsonRecord, numberOf, parseJson, stringOf, tableOf } from '../../base/json.ts';
import { answerEvents, elementTexts, isWhole, memberText, readArguments } from '../answer.ts';
import type { Answer, AskedCall, RefusedCall } from '../dialect.ts';
import { record, text } from '../read.ts';
import { appendElements } from '../transforms/held.ts';

export function readAnswer(body: Uint8Array): Answer | undefined {
  const whole = isWhole(body) ? elementTexts(body, 'content') : undefined;
  const blocks = isWhole(body) ? whole?.map((raw) => new Block(raw)) : streamedBlocks(body);
  if (!blocks) return undefined;
  const texts = blocks.map((block) => block.text());
  const known = texts.filter((item) => item !== undefined);
  return {
    items: known.length === texts.length ? known : undefined,
    calls: blocks.flatMap((block) => block.calls()),
  };
}

function streamedBlocks(stream: Uint8Array): Block[] {
  const blocks = new Map<number, Block>();
  for (const { data, json } of answerEvents(stream)) {
    const index = numberOf(data.index);
    if (data.type === 'content_block_start')
      blocks.set(index, new Block(memberText(json, 'content_block') ?? 'null'));
    if (data.type === 'content_block_delta') blocks.get(index)?.add(record(data.delta));
  }
  return [...blocks.values()];
}

/** Which member of a block a delta's text is added to; its own member has the same name. */
const TEXT_DELTAS = tableOf<string>({
  text_delta: 'text',
  thinking_delta: 'thinking',
  signature_delta: 'signature',
});

class Block {
  readonly #raw: string;
  readonly #fields: JsonRecord;
  readonly #added = new Map<string, string>();
  readonly #citations: Json[] = [];
  #json: string | undefined;
  #unknown = false;

  constructor(raw: string) {
    this.#raw = raw;
    this.#fields = record(parseJson(raw));
  }

  add(delta: JsonRecord): void {
    const type = text(delta, 'type');
    const member = TEXT_DELTAS[type];
    if (member !== undefined) this.#added.set(member, (this.#added.get(member) ?? '') + text(delta, member));
    else if (type === 'input_json_delta') this.#json = (this.#json ?? '') + text(delta, 'partial_json');
    else if (type === 'citations_delta') this.#citations.push(delta.citation ?? null);
    else this.#unknown = true;
  }

  #input(): string {
    return this.#json?.trim() ? this.#json : (memberText(this.#raw, 'input') ?? '{}');
  }

  /** Undefined when a part of it is of a kind that cannot be put together. */
  text(): string | undefined {
    const isCall = 'input' in this.#fields;
    if (this.#unknown || (isCall && parseJson(this.#input()) === undefined)) return undefined;
    if (this.#added.size === 0 && this.#json === undefined && this.#citations.length === 0) return this.#raw;
    const fields: Record<string, Json> = { ...this.#fields };
    for (const [member, added] of this.#added) fields[member] = text(this.#fields, member) + added;
    if (this.#citations.length > 0) fields.citations = [...this.#citations];
    const members = Object.entries(fields).map(
      ([name, value]) =>
        `${JSON.stringify(name)}:${name === 'input' ? this.#input() : JSON.stringify(value)}`,
    );
    return `{${members.join(',')}}`;
  }

  /** Server and connector tools ran at the provider already. */
  calls(): AskedCall[] {
    if (this.#fields.type !== 'tool_use') return [];
    const { id, name } = this.#fields;
    return [
      { id: stringOf(id), name: stringOf(name), input: readArguments(this.#input()), type: 'tool_use' },
    ];
  }
}

export function continueRefused(
  body: Uint8Array,
  answer: Answer,
  results: readonly RefusedCall[],
): Buffer | undefined {
  // The API refuses empty text blocks, though models write them.
  const blocks = answer.items?.filter((item) => !isEmptyText(item));
  if (!blocks) return undefined;
  const refused = results.map(({ call, text: content }) =>
    JSON.stringify({ type: 'tool_result', tool_use_id: call.id, is_error: true, content }),
  );
  return appendElements(body, 'messages', [
    `{"role":"assistant","content":[${blocks.join(',')}]}`,
    `{"role":"user","content":[${refused.join(',')}]}`,
  ]);
}

function isEmptyText(item: string): boolean {
  const block = record(parseJson(item));
  return block.type === 'text' && text(block, 'text') === '';
}
