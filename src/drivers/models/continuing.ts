/**
 * A streamed Chat answer that may be broken off between two events and continued from its last words, where its server can
 * do that (`continue_final_message`: vLLM, llama-server), or from the ids of its tokens (tokens.ts) where it was asked for
 * them: what the exchange sees is one answer, with the first one's id and its tokens counted once. Not broken off: what
 * cannot be continued as text - tool calls, reasoning, an answer held to a format, several answers at once, penalties that
 * look back - and what is about to end.
 */
import type { Dispatcher } from 'undici';
import { isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import type { ModelCall } from '../../base/model.ts';
import type { Suspendable } from '../../base/ports.ts';
import { type SseEvent, SseSplitter } from '../../wire/sse.ts';
import { BINDING } from '../../wire/transforms/resume.ts';
import { LIMITS } from '../limits.ts';
import type { Exchange } from './exchange.ts';
import { asChat, leftOf, promptOf, Tokens, tokensBody } from './tokens.ts';

type Controller = Dispatcher.DispatchController;
/** Sends a request to the call's server: `chat` as the call itself, the others beside it. */
export type Send = (to: Place, body: Uint8Array, handler: Dispatcher.DispatchHandler) => void;
export type Place = 'chat' | 'completions' | 'apply-template';

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
  readonly #dispatch: Send;
  /** Of a call whose server was asked for them. */
  readonly #tokens: Tokens | undefined;
  /** Does this connection's answer come from `/completions`? */
  #isByTokens = false;
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

  constructor(call: ModelCall, asked: JsonRecord, exchange: Exchange, dispatch: Send) {
    this.#call = call;
    this.#asked = asked;
    this.#exchange = exchange;
    this.#dispatch = dispatch;
    this.#tokens = call.transforms?.includes('resume') ? new Tokens() : undefined;
  }

  begin(): void {
    this.#send('chat', this.#call.body);
  }

  async suspend(): Promise<boolean> {
    if (this.#isPlain || this.#isFixed || this.#echo !== undefined) return false;
    // Its last token is written: only its end is to come.
    if ((leftOf(this.#asked, this.#tokens?.ids?.length ?? 0) ?? 1) <= 0) return false;
    this.#leg++;
    this.#controller?.abort(new Error('suspended'));
    this.#controller = undefined;
    this.#exchange.suspend(true);
    return true;
  }

  proceed(): void {
    this.#exchange.suspend(false);
    this.#splitter = new SseSplitter();
    const ids = this.#tokens?.ids;
    if (ids) return this.#applyTemplate((prompt) => this.#goOn(prompt, ids));
    this.#goOnByWords();
  }

  #goOn(prompt: string | undefined, ids: readonly number[]): void {
    if (prompt === undefined) return this.#goOnByWords();
    this.#isByTokens = true;
    this.#before = ids.length;
    this.#tokens?.begin();
    this.#send('completions', encode(tokensBody(this.#asked, prompt, ids)));
  }

  #goOnByWords(): void {
    this.#tokens?.giveUp();
    this.#isByTokens = false;
    if (this.#text === '') return this.#send('chat', this.#call.body);
    this.#echo = this.#text;
    this.#before = this.#pieces;
    this.#send('chat', encode(this.#continued()));
  }

  /** The prompt as the server itself makes it of the messages; undefined where it does not say. */
  #applyTemplate(then: (prompt: string | undefined) => void): void {
    const leg = this.#leg;
    const parts: Buffer[] = [];
    let status = 0;
    const end = (answer: Json | undefined) => {
      if (leg === this.#leg && !this.#exchange.isOver) then(promptOf(answer));
    };
    this.#dispatch('apply-template', encode(this.#asked), {
      onRequestStart: (controller) => {
        if (leg !== this.#leg || this.#exchange.isOver) controller.abort(new Error('suspended'));
        else this.#controller = controller;
      },
      onResponseStart: (_controller, answered) => {
        status = answered;
      },
      onResponseData: (_controller, chunk) => void parts.push(Buffer.from(chunk)),
      onResponseEnd: () => end(status === 200 ? parseJson(Buffer.concat(parts).toString('utf8')) : undefined),
      onResponseError: () => end(undefined),
    });
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

  #send(to: Place, body: Uint8Array): void {
    const leg = this.#leg;
    const isFirst = leg === 0;
    const isOld = () => leg !== this.#leg;
    try {
      this.#dispatch(to, body, {
        onRequestStart: (controller) => {
          if (isOld() || (!isFirst && this.#exchange.isOver)) return controller.abort(new Error('suspended'));
          this.#controller = controller;
          if (isFirst) this.#exchange.onRequestStart(this.#proxy);
          else if (this.#isPaused) controller.pause();
        },
        onResponseStart: (controller, status, headers) => {
          if (isOld()) return;
          const isStream = status === 200 && String(headers['content-type']).startsWith('text/event-stream');
          this.#isPlain = !isStream;
          if (isFirst) return this.#exchange.onResponseStart(controller, status, headers);
          if (isStream) return;
          if (!this.#isByTokens)
            return this.#fail(new Error(`it did not go on with its answer (status ${status})`));
          // It takes no token ids with this model: its last words are left.
          this.#leg++;
          controller.abort(new Error('refused'));
          this.#goOnByWords();
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
    const told = parseJson(data);
    if (!isRecord(told)) return [bytes];
    this.#head ??= told;
    if (!this.#tokens) return this.#say(told, bytes);
    return (this.#isByTokens ? asChat(told) : [told]).flatMap((chunk) => {
      const plain = this.#tokens?.take(chunk) ?? chunk;
      return this.#say(plain, plain === chunk ? bytes : this.#frame(plain));
    });
  }

  /** `bytes`: the chunk as it goes to the client of a first answer. */
  #say(chunk: JsonRecord, bytes: Buffer): Buffer[] {
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

const encode = (body: JsonRecord): Buffer => Buffer.from(JSON.stringify(body));
