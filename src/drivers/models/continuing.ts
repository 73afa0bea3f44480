/**
 * A streamed Chat answer that may be broken off between two events and continued from its last words, where its server can
 * do that (`continue_final_message`: vLLM, llama-server): what the exchange sees is one answer, with the first one's id and
 * its tokens counted once. Not broken off: what cannot be continued as text - tool calls, reasoning, an answer held to a
 * format, several answers at once, penalties that look back - and what is about to end.
 */
import type { Dispatcher } from 'undici';
import { isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import type { ModelCall } from '../../base/model.ts';
import type { Suspendable } from '../../base/ports.ts';
import { type SseEvent, SseSplitter } from '../../wire/sse.ts';
import { LIMITS } from '../limits.ts';
import type { Exchange } from './exchange.ts';

type Controller = Dispatcher.DispatchController;

/** Members of a request that say more than text to go on from. */
const BINDING = /^(?:response_format|grammar|json_schema|structured_outputs|guided_.*|n|logprobs|audio)$/;
const LOOKING_BACK = ['presence_penalty', 'frequency_penalty', 'repeat_penalty', 'repetition_penalty'];

/** The request of a call that may be continued; undefined where it may not. */
export function continuableBody({ dialect, path, body, decoded, facts }: ModelCall): JsonRecord | undefined {
  // A compressed body would have to be compressed again.
  if (dialect !== 'openai-chat' || path !== '/chat/completions' || !facts.stream || body !== decoded)
    return undefined;
  const asked = parseJson(Buffer.from(decoded).toString('utf8'));
  if (!isRecord(asked) || !Array.isArray(asked.messages)) return undefined;
  if (Object.keys(asked).some((name) => BINDING.test(name) && asked[name] !== null)) return undefined;
  return LOOKING_BACK.some((name) => asked[name]) ? undefined : asked;
}

export class Continuing implements Suspendable {
  readonly #call: ModelCall;
  readonly #asked: JsonRecord;
  readonly #exchange: Exchange;
  readonly #dispatch: (body: Uint8Array, handler: Dispatcher.DispatchHandler) => void;
  /** The connection whose answer counts. */
  #leg = 0;
  #controller: Controller | undefined;
  #isPaused = false;
  #splitter = new SseSplitter();
  /** An answer that is no stream of events passes as it is. */
  #isPlain = true;
  #isFixed = false;
  #text = '';
  /** Pieces of text, which engines send a token each, and those before this connection. */
  #pieces = 0;
  #before = 0;
  /** What the first chunk said of itself. */
  #head: JsonRecord | undefined;
  /** What a continued answer may say again before it goes on; undefined when it has gone on. */
  #echo: string | undefined;
  #heldBack = '';

  constructor(
    call: ModelCall,
    asked: JsonRecord,
    exchange: Exchange,
    dispatch: (body: Uint8Array, handler: Dispatcher.DispatchHandler) => void,
  ) {
    this.#call = call;
    this.#asked = asked;
    this.#exchange = exchange;
    this.#dispatch = dispatch;
  }

  begin(): void {
    this.#send(this.#call.body);
  }

  async suspend(): Promise<boolean> {
    if (this.#isPlain || this.#isFixed || this.#echo !== undefined) return false;
    this.#leg++;
    this.#controller?.abort(new Error('suspended'));
    this.#controller = undefined;
    this.#exchange.suspend(true);
    return true;
  }

  proceed(): void {
    this.#exchange.suspend(false);
    this.#splitter = new SseSplitter();
    if (this.#text === '') return this.#send(this.#call.body);
    this.#echo = this.#text;
    this.#before = this.#pieces;
    this.#send(Buffer.from(JSON.stringify(this.#continued())));
  }

  #continued(): JsonRecord {
    const { messages, ...asked } = this.#asked;
    const bound = (name: string): JsonRecord => {
      const most = asked[name];
      return typeof most === 'number' ? { [name]: Math.max(1, most - this.#pieces) } : {};
    };
    return {
      ...asked,
      ...bound('max_tokens'),
      ...bound('max_completion_tokens'),
      messages: [...(messages as Json[]), { role: 'assistant', content: this.#text }],
      continue_final_message: true,
      add_generation_prompt: false,
    };
  }

  #send(body: Uint8Array): void {
    const leg = this.#leg;
    const isFirst = leg === 0;
    const isOld = () => leg !== this.#leg;
    try {
      this.#dispatch(body, {
        onRequestStart: (controller) => {
          if (isOld()) return controller.abort(new Error('suspended'));
          this.#controller = controller;
          if (isFirst) this.#exchange.onRequestStart(this.#proxy);
          else if (this.#isPaused) controller.pause();
        },
        onResponseStart: (controller, status, headers) => {
          if (isOld()) return;
          const isStream = status === 200 && String(headers['content-type']).startsWith('text/event-stream');
          this.#isPlain = !isStream;
          if (isFirst) return this.#exchange.onResponseStart(controller, status, headers);
          if (!isStream) this.#fail(new Error(`it did not go on with its answer (status ${status})`));
        },
        onResponseData: (_controller, chunk) => {
          if (!isOld()) this.#take(chunk);
        },
        onResponseEnd: () => {
          if (isOld()) return;
          const { rest } = this.#splitter;
          if (rest.length > 0) this.#exchange.onResponseData(this.#proxy, rest);
          this.#exchange.onResponseEnd();
        },
        onResponseError: (_controller, error) => {
          if (!isOld()) this.#fail(error);
        },
      });
    } catch (error) {
      this.#exchange.refuseToSend(error);
    }
  }

  #fail(error: Error): void {
    this.#leg++;
    this.#exchange.onResponseError(this.#proxy, error);
    this.#controller?.abort(error);
  }

  /** What the exchange holds in hand: whichever connection counts. */
  readonly #proxy = ((): Controller => {
    const current = () => this.#controller;
    const pause = (isPaused: boolean) => {
      this.#isPaused = isPaused;
    };
    return {
      get aborted() {
        return current()?.aborted ?? false;
      },
      get reason() {
        return current()?.reason ?? null;
      },
      get paused() {
        return current()?.paused ?? false;
      },
      abort: (reason) => current()?.abort(reason),
      pause: () => {
        pause(true);
        current()?.pause();
      },
      resume: () => {
        pause(false);
        current()?.resume();
      },
    } as Controller;
  })();

  #take(chunk: Buffer): void {
    if (this.#isPlain) return void this.#exchange.onResponseData(this.#proxy, chunk);
    const heard = this.#splitter.push(chunk).flatMap((event) => this.#hear(event));
    // Whole events alone: wherever it is broken off, none is cut in two.
    if (heard.length > 0) this.#exchange.onResponseData(this.#proxy, Buffer.concat(heard));
  }

  /** Keeps in mind what an event says, and says what the client gets of it: of a first answer the bytes as they are. */
  #hear({ bytes, data }: SseEvent): Buffer[] {
    const chunk = parseJson(data);
    if (!isRecord(chunk)) return [bytes];
    this.#head ??= chunk;
    const isFirst = this.#leg === 0;
    const choices = Array.isArray(chunk.choices) ? chunk.choices : [];
    const [choice] = choices;
    if (!isRecord(choice)) return [isFirst ? bytes : this.#frame({ ...chunk, ...this.#usageOf(chunk) })];
    const { role: _said, content, ...more } = isRecord(choice.delta) ? choice.delta : {};
    // From here on it is more than text, or about to end.
    if (
      choices.length > 1 ||
      choice.finish_reason ||
      Object.values(more).some((value) => value !== null && value !== '')
    )
      this.#isFixed = true;
    const text = this.#unheard(typeof content === 'string' ? content : '');
    this.#text += text;
    if (text !== '' && ++this.#pieces % LIMITS.engineToldTokens.value === 0)
      this.#call.written?.(this.#pieces);
    if (isFirst) return [bytes];
    if (text === '' && !this.#isFixed && !isRecord(chunk.usage)) return [];
    const delta = { ...more, ...(text === '' ? {} : { content: text }) };
    return [this.#frame({ ...chunk, ...this.#usageOf(chunk), choices: [{ ...choice, delta }] })];
  }

  /** Of a piece of a continued answer, what was not said before. */
  #unheard(piece: string): string {
    const echo = this.#echo;
    if (echo === undefined) return piece;
    this.#heldBack += piece;
    const said = this.#heldBack;
    if (said.length < echo.length && echo.startsWith(said) && !this.#isFixed) return '';
    this.#echo = undefined;
    this.#heldBack = '';
    return said.startsWith(echo) ? said.slice(echo.length) : said;
  }

  /** What was written before counts as written, not as read. */
  #usageOf({ usage }: JsonRecord): JsonRecord {
    if (!isRecord(usage) || this.#leg === 0) return {};
    const before = this.#before;
    const { prompt_tokens: read, completion_tokens: wrote } = usage;
    if (typeof read !== 'number' || typeof wrote !== 'number') return {};
    return {
      usage: { ...usage, prompt_tokens: Math.max(0, read - before), completion_tokens: wrote + before },
    };
  }

  #frame(chunk: JsonRecord): Buffer {
    const { id, created } = this.#head ?? {};
    const same = { ...(id === undefined ? {} : { id }), ...(created === undefined ? {} : { created }) };
    return Buffer.from(`data: ${JSON.stringify({ ...chunk, ...same })}\n\n`);
  }
}
