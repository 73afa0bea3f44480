/**
 * A streamed Chat answer that may be continued: from its last words (`continue_final_message`: vLLM, llama-server), or
 * from the ids of its tokens (tokens.ts) where they were asked for. Its client sees one answer, with the first
 * connection's id, and its tokens counted once. Not continued: tool calls, reasoning, an answer held to a format, several
 * answers at once, penalties that look back.
 */
import { isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import type { ModelCall } from '../../base/model.ts';
import type { SseEvent } from '../../wire/sse.ts';
import { BINDING } from '../../wire/transforms/resume.ts';
import type { Spoken } from './spoken.ts';
import { asChat, leftOf, Tokens, tokensBody } from './tokens.ts';
import { Words } from './words.ts';

const LOOKING_BACK = ['presence_penalty', 'frequency_penalty', 'repeat_penalty', 'repetition_penalty'];

/** The request of a call that may be continued; undefined where it may not. */
export function continuableChat({ dialect, path, body, decoded, facts }: ModelCall): JsonRecord | undefined {
  // A compressed body would have to be compressed again.
  if (dialect !== 'openai-chat' || path !== '/chat/completions' || !facts.stream || body !== decoded)
    return undefined;
  const asked = parseJson(Buffer.from(decoded).toString('utf8'));
  if (!isRecord(asked) || !Array.isArray(asked.messages)) return undefined;
  if (Object.keys(asked).some((name) => BINDING.test(name) && asked[name] !== null)) return undefined;
  return LOOKING_BACK.some((name) => asked[name]) ? undefined : asked;
}

export class ChatAnswer implements Spoken {
  readonly #asked: JsonRecord;
  readonly #words: Words;
  /** Of a call whose server was asked for them. */
  readonly #tokens: Tokens | undefined;
  /** Does this connection's answer come from `/completions`? */
  #isByTokens = false;
  #isFixed = false;
  /** What the first chunk said of itself. */
  #head: JsonRecord | undefined;

  constructor(call: ModelCall, asked: JsonRecord) {
    this.#asked = asked;
    this.#words = new Words(call.written);
    this.#tokens = call.transforms?.includes('resume') ? new Tokens() : undefined;
  }

  get isFixed(): boolean {
    return this.#isFixed;
  }

  get isRepeating(): boolean {
    return this.#words.isRepeating;
  }

  get ids(): readonly number[] | undefined {
    return this.#tokens?.ids;
  }

  left(): number | undefined {
    return leftOf(this.#asked, this.ids?.length ?? 0);
  }

  goOnByIds(prompt: string): JsonRecord {
    const ids = this.ids ?? [];
    this.#isByTokens = true;
    this.#words.goOn([], ids.length);
    this.#tokens?.begin();
    return tokensBody(this.#asked, prompt, ids);
  }

  goOn(): JsonRecord | undefined {
    this.#tokens?.giveUp();
    this.#isByTokens = false;
    const begun = this.#words.goOnFrom();
    if (begun === '') return undefined;
    const { pieces } = this.#words;
    const { messages, ...asked } = this.#asked;
    const bound = (name: string): JsonRecord => {
      const most = asked[name];
      return typeof most === 'number' ? { [name]: Math.max(1, most - pieces) } : {};
    };
    return {
      ...asked,
      ...bound('max_tokens'),
      ...bound('max_completion_tokens'),
      messages: [...(messages as Json[]), { role: 'assistant', content: begun }],
      continue_final_message: true,
      add_generation_prompt: false,
    };
  }

  /** Of a first answer the client gets the bytes as they are. */
  hear({ bytes, data }: SseEvent, isFirst: boolean): Buffer[] {
    const told = parseJson(data);
    if (!isRecord(told)) return [bytes];
    this.#head ??= told;
    if (!this.#tokens) return this.#say(told, bytes, isFirst);
    return (this.#isByTokens ? asChat(told) : [told]).flatMap((chunk) => {
      const plain = this.#tokens?.take(chunk) ?? chunk;
      return this.#say(plain, plain === chunk ? bytes : this.#frame(plain), isFirst);
    });
  }

  /** `bytes`: the chunk as it goes to the client of a first answer. */
  #say(chunk: JsonRecord, bytes: Buffer, isFirst: boolean): Buffer[] {
    const usage = isFirst ? {} : this.#usageOf(chunk);
    const choices = Array.isArray(chunk.choices) ? chunk.choices : [];
    const [choice] = choices;
    if (!isRecord(choice)) return [isFirst ? bytes : this.#frame({ ...chunk, ...usage })];
    const { role: _said, content, ...more } = isRecord(choice.delta) ? choice.delta : {};
    // From here on it is more than text, or about to end.
    if (
      choices.length > 1 ||
      choice.finish_reason ||
      Object.values(more).some((value) => value !== null && value !== '')
    )
      this.#isFixed = true;
    const text = this.#words.take(typeof content === 'string' ? content : '', this.#isFixed);
    if (isFirst) return [bytes];
    if (text === '' && !this.#isFixed && !isRecord(chunk.usage)) return [];
    const delta = { ...more, ...(text === '' ? {} : { content: text }) };
    return [this.#frame({ ...chunk, ...usage, choices: [{ ...choice, delta }] })];
  }

  /** What was written before counts as written, not as read. */
  #usageOf({ usage }: JsonRecord): JsonRecord {
    if (!isRecord(usage)) return {};
    const { before } = this.#words;
    const { prompt_tokens: read, completion_tokens: wrote } = usage;
    if (typeof read !== 'number' || typeof wrote !== 'number') return {};
    const prompt = Math.max(0, read - before);
    const cached = this.#tokens?.cached;
    return {
      usage: {
        ...usage,
        ...{ prompt_tokens: prompt, completion_tokens: wrote + before },
        // What it had cached the second time is what it had read the first time.
        ...(cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: cached } }),
      },
    };
  }

  #frame(chunk: JsonRecord): Buffer {
    const { id, created } = this.#head ?? {};
    const same = { ...(id === undefined ? {} : { id }), ...(created === undefined ? {} : { created }) };
    return Buffer.from(`data: ${JSON.stringify({ ...chunk, ...same })}\n\n`);
  }
}
