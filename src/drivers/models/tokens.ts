/**
 * The tokens of an answer that goes on by their ids (llama-server): the prompt as the server's own template makes it, then
 * the very tokens it wrote, so that nothing is cut into tokens otherwise than it was. Invariant: `ids` is every token of
 * the answer so far, or undefined. It must not know how the answer is broken off.
 */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';

export class Tokens {
  readonly #ids: number[] = [];
  /** Where this connection began. */
  #from = 0;
  #isWhole = true;
  /** Tokens of the prompt that the server had cached when it was first asked. */
  cached: number | undefined;

  /** undefined: the server did not tell all of them (a character of several tokens, a stop word that was held back). */
  get ids(): readonly number[] | undefined {
    return this.#isWhole && this.#ids.length > 0 ? this.#ids : undefined;
  }

  /** Another connection goes on from here. */
  begin(): void {
    this.#from = this.#ids.length;
  }

  /** It goes on in another way from here. */
  giveUp(): void {
    this.#isWhole = false;
  }

  /** Keeps the id that a chunk tells, and gives the chunk as it would have been without the question. */
  take(chunk: JsonRecord): JsonRecord {
    const [choice] = Array.isArray(chunk.choices) ? chunk.choices : [];
    const { timings, ...rest } = chunk;
    if (!isRecord(choice) || !isRecord(timings)) return chunk;
    const { logprobs, ...kept } = choice;
    for (const token of isRecord(logprobs) && Array.isArray(logprobs.content) ? logprobs.content : [])
      if (isRecord(token) && typeof token.id === 'number') this.#ids.push(token.id);
    // A last chunk tells its timings whether it was asked or not.
    if (choice.finish_reason) return { ...chunk, choices: [kept] };
    if (timings.predicted_n !== this.#ids.length - this.#from) this.#isWhole = false;
    if (this.#from === 0 && typeof timings.cache_n === 'number') this.cached ??= timings.cache_n;
    return { ...rest, choices: [kept] };
  }
}

/** The request (`/completions`) that goes on from these tokens of an answer to a Chat request. */
export function tokensBody(asked: JsonRecord, prompt: string, ids: readonly number[]): JsonRecord {
  const { messages: _said, max_completion_tokens: _most, ...rest } = asked;
  const left = leftOf(asked, ids.length);
  return { ...rest, prompt: [prompt, ...ids], ...(left === undefined ? {} : { max_tokens: left }) };
}

/** Tokens that the request allows still; undefined where it sets no bound. */
export function leftOf(asked: JsonRecord, written: number): number | undefined {
  const most = asked.max_completion_tokens ?? asked.max_tokens;
  return typeof most === 'number' ? most - written : undefined;
}

/** A chunk of that request's answer in the words of Chat: usage comes in one of its own. */
export function asChat(chunk: JsonRecord): JsonRecord[] {
  const [choice] = Array.isArray(chunk.choices) ? chunk.choices : [];
  if (!isRecord(choice)) return [chunk];
  const { text, ...rest } = choice;
  const { usage, ...more } = { ...chunk, object: 'chat.completion.chunk' } as JsonRecord;
  const delta: JsonRecord = typeof text === 'string' && text !== '' ? { content: text } : {};
  const said: JsonRecord = { ...more, choices: [{ ...rest, delta }] };
  const { timings: _told, ...plain } = more;
  return isRecord(usage) ? [said, { ...plain, choices: [], usage }] : [said];
}

/** What `/apply-template` answers. */
export const promptOf = (answer: Json | undefined): string | undefined =>
  isRecord(answer) && typeof answer.prompt === 'string' ? answer.prompt : undefined;
