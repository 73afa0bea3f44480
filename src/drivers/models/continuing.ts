/**
 * A streamed answer that may be broken off between two events and continued over another connection: what the exchange
 * sees is one answer. How it is asked to go on, and what its client gets of that, is its dialect's (spoken.ts). Not broken
 * off: what is more than text by now, and what is about to end.
 */
import type { Dispatcher } from 'undici';
import { type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import type { ModelCall } from '../../base/model.ts';
import type { BackendSpec, Suspendable } from '../../base/ports.ts';
import { SseSplitter } from '../../wire/sse.ts';
import { ChatAnswer, continuableChat } from './chat.ts';
import type { Exchange } from './exchange.ts';
import { continuableMessages, MessagesAnswer } from './messages.ts';
import type { Spoken } from './spoken.ts';
import { promptOf } from './tokens.ts';

type Controller = Dispatcher.DispatchController;
/** Sends a request to the call's server: `call` as the call itself, the others beside it. */
export type Send = (to: Place, body: Uint8Array, handler: Dispatcher.DispatchHandler) => void;
export type Place = 'call' | 'completions' | 'apply-template';

/** An answer to this call that may be continued, as its backend allows it; undefined where it may not. */
export function continuable(
  call: ModelCall,
  { continues, prefills }: Pick<BackendSpec, 'continues' | 'prefills'>,
): { readonly asked: JsonRecord; readonly answer: Spoken } | undefined {
  const chat = continues ? continuableChat(call) : undefined;
  if (chat) return { asked: chat, answer: new ChatAnswer(call, chat) };
  const messages = prefills ? continuableMessages(call) : undefined;
  return messages && { asked: messages, answer: new MessagesAnswer(call, messages) };
}

export class Continuing implements Suspendable {
  readonly #call: ModelCall;
  readonly #asked: JsonRecord;
  readonly #answer: Spoken;
  readonly #exchange: Exchange;
  readonly #dispatch: Send;
  /** It goes on by its tokens just now. */
  #isByIds = false;
  /** The connection whose answer counts. */
  #leg = 0;
  #controller: Controller | undefined;
  #isPaused = false;
  #splitter = new SseSplitter();
  /** An answer that is no stream of events passes as it is. */
  #isPlain = true;

  constructor(call: ModelCall, asked: JsonRecord, answer: Spoken, exchange: Exchange, dispatch: Send) {
    this.#call = call;
    this.#asked = asked;
    this.#answer = answer;
    this.#exchange = exchange;
    this.#dispatch = dispatch;
  }

  begin(): void {
    this.#send('call', this.#call.body);
  }

  async suspend(): Promise<boolean> {
    if (this.#isPlain || this.#answer.isFixed || this.#answer.isRepeating) return false;
    // Its last token is written: only its end is to come.
    if ((this.#answer.left() ?? 1) <= 0) return false;
    this.#leg++;
    this.#controller?.abort(new Error('suspended'));
    this.#controller = undefined;
    this.#exchange.suspend(true);
    return true;
  }

  proceed(): void {
    this.#exchange.suspend(false);
    this.#splitter = new SseSplitter();
    if (this.#answer.ids) this.#applyTemplate((prompt) => this.#goOn(prompt));
    else this.#goOnByWords();
  }

  #goOn(prompt: string | undefined): void {
    const body = prompt === undefined ? undefined : this.#answer.goOnByIds?.(prompt);
    if (!body) return this.#goOnByWords();
    this.#isByIds = true;
    this.#send('completions', encode(body));
  }

  #goOnByWords(): void {
    this.#isByIds = false;
    const body = this.#answer.goOn();
    this.#send('call', body ? encode(body) : this.#call.body);
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
          if (!this.#isByIds)
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
    const isFirst = this.#leg === 0;
    const heard = this.#splitter.push(chunk).flatMap((event) => this.#answer.hear(event, isFirst));
    // Whole events alone: wherever it is broken off, none is cut in two.
    if (heard.length > 0) this.#exchange.onResponseData(this.#proxy, Buffer.concat(heard));
  }
}

const encode = (body: JsonRecord): Buffer => Buffer.from(JSON.stringify(body));
