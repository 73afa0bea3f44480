/** One request and its answer: relays bytes, watches the dialect's rules, withholds the end, and says how it went. */
import type { Dispatcher } from 'undici';
import type { Clock } from '../../base/clock.ts';
import { type ErrorCode, refusal } from '../../base/errors.ts';
import type { ModelCall, ModelOutcome, ResponseFacts, Translation } from '../../base/model.ts';
import type { StreamMachine } from '../../wire/dialect.ts';
import { decodeBody, StreamDecoder } from '../../wire/encoding.ts';
import { DIALECTS, newStream, rewritesAnswer } from '../../wire/registry.ts';
import { clientFacts, translateAnswer, translateFailure } from '../../wire/translate.ts';
import { LIMITS } from '../limits.ts';
import { CompressedStream } from './compressed.ts';
import { headerValue, responseHeaders, withoutHeader } from './headers.ts';

type Controller = Dispatcher.DispatchController;

const NO_FACTS: ResponseFacts = { intents: [], objects: [] };

export class Exchange implements Dispatcher.DispatchHandler {
  readonly #call: ModelCall;
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #resolve: (outcome: ModelOutcome) => void;
  #controller: Controller | undefined;
  #settled = false;
  #sent = false;
  #headSent = false;
  #status = 0;
  #headers: string[] = [];
  #stream: StreamMachine | undefined;
  #compressed: CompressedStream | undefined;
  /** Chunks of a compressed stream are taken one after the other. */
  #taken: Promise<void> = Promise.resolve();
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** The answer outgrew what is held: it passes, and only its last chunk waits for END. */
  #overflow = false;
  #bytesOut = 0;
  #firstByteAt = 0;
  #lastAt = 0;
  #cancelIdle: () => void = () => {};
  #isSuspended = false;
  readonly #onAbort = () =>
    this.#break('cancelled', 'The client closed its connection or the call was ended.');

  constructor(call: ModelCall, clock: Clock, idleMs: number, resolve: (outcome: ModelOutcome) => void) {
    this.#call = call;
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#resolve = resolve;
    this.#lastAt = clock.now();
    if (call.signal.aborted) {
      this.#onAbort();
      return;
    }
    call.signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#watch(idleMs);
  }

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    // undici calls this just before the request is written; an abort that came earlier ends it unsent.
    if (this.#settled || this.#call.signal.aborted) controller.abort(new Error('cancelled'));
    else this.#sent = true;
  }

  onResponseStart(
    controller: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200 || this.#settled) return;
    this.#lastAt = this.#clock.now();
    this.#status = status;
    this.#firstByteAt = this.#lastAt;
    const raw = controller.rawHeaders;
    this.#headers = Array.isArray(raw)
      ? responseHeaders(raw as Buffer[])
      : responseHeaders(Object.entries(headers).flatMap(([name, value]) => [name, String(value)]));
    this.#call.heard?.(this.#headers);
    const type = headerValue(this.#headers, 'content-type') ?? '';
    if (status < 300 && type.startsWith('text/event-stream')) this.#startStream();
  }

  #startStream(): void {
    const encoding = headerValue(this.#headers, 'content-encoding');
    const machine = newStream(this.#call);
    if (encoding === undefined) this.#stream = machine;
    else {
      const decoder = StreamDecoder.for(encoding);
      // Withheld whole: what cannot be read cannot be watched.
      if (!decoder) return;
      const rewrites = rewritesAnswer(this.#call);
      this.#compressed = new CompressedStream(decoder, machine, rewrites);
      if (rewrites) this.#headers = withoutHeader(this.#headers, 'content-encoding');
    }
    this.#sendHead();
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#settled) return;
    this.#lastAt = this.#clock.now();
    if (this.#stream) {
      this.#write(controller, this.#stream.push(chunk));
      return;
    }
    // Copied: undici reuses its buffer.
    const own = Buffer.from(chunk);
    if (this.#compressed) return this.#takeCompressed(controller, this.#compressed, own);
    this.#held.push(own);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes <= LIMITS.answerBytes.value && !this.#overflow) return;
    if (this.#call.translation)
      return this.#break('upstream_malformed', 'The answer is too large to be translated.');
    this.#overflow = true;
    if (!this.#headSent) this.#sendHead();
    while (this.#held.length > 1) this.#write(controller, this.#held.shift() as Uint8Array);
  }

  onResponseEnd(): void {
    if (this.#settled) return;
    const compressed = this.#compressed;
    if (this.#stream) this.#endStream(this.#stream);
    else if (compressed) void this.#taken.then(() => this.#settled || this.#endStream(compressed));
    else this.#endBody();
  }

  onResponseError(_controller: Controller, error: Error): void {
    const why = describe(error);
    if (this.#status > 0)
      this.#break('upstream_cut', `The upstream closed before its answer was complete: ${why}`);
    else if (this.#sent && !isConnectError(error))
      this.#break('upstream_cut', `The upstream closed before it answered: ${why}`);
    else this.#break('unreachable', `The upstream cannot be reached: ${why}`);
  }

  /** How it went is said: what comes still is heard by nobody. */
  get isOver(): boolean {
    return this.#settled;
  }

  /** The upstream says nothing for a while because it was told so. */
  suspend(isSuspended: boolean): void {
    this.#isSuspended = isSuspended;
    this.#lastAt = this.#clock.now();
  }

  /** The request could not even be handed to the connection. */
  refuseToSend(error: unknown): void {
    this.#break('unreachable', describe(error));
  }

  #sendHead(): void {
    this.#headSent = true;
    this.#call.sink.head(this.#status, this.#headers);
  }

  #write(controller: Controller, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#bytesOut += bytes.length;
    if (this.#call.sink.write(bytes)) return;
    controller.pause();
    this.#cancelIdle();
    // Nobody waits for ever for a client that does not read: its call holds a slot.
    this.#cancelIdle = this.#clock.after(LIMITS.readerMs.value, () =>
      this.#break('cancelled', `The client read nothing for ${LIMITS.readerMs.value / 1000} s.`),
    );
    void this.#call.sink.drained().then(() => {
      if (this.#settled) return;
      this.#lastAt = this.#clock.now();
      this.#watch(this.#idleMs);
      controller.resume();
    });
  }

  /** Nothing more comes from the upstream until this chunk is decoded. */
  #takeCompressed(controller: Controller, stream: CompressedStream, chunk: Buffer): void {
    controller.pause();
    this.#taken = this.#taken.then(async () => {
      const passed = this.#settled ? undefined : await stream.push(chunk);
      if (!passed || this.#settled) return;
      if ('why' in passed)
        return this.#break(
          'upstream_malformed',
          `The upstream's compressed stream is malformed: ${passed.why}.`,
        );
      controller.resume();
      this.#write(controller, passed.bytes);
    });
  }

  #endStream(stream: Pick<StreamMachine, 'finish'>): void {
    const end = stream.finish();
    if (end.kind === 'cut' || end.kind === 'malformed') {
      const code = end.kind === 'cut' ? 'upstream_cut' : 'upstream_malformed';
      return this.#break(code, `The upstream's stream is ${end.kind}: ${end.why}.`);
    }
    this.#answer(end.tail, end.facts, end.kind === 'error');
  }

  #endBody(): void {
    const tail = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
    const { translation } = this.#call;
    if (translation) return void this.#endTranslated(tail, translation);
    if (this.#status >= 300 || this.#overflow) return this.#answer(tail, NO_FACTS, this.#status >= 300);
    const encoding = headerValue(this.#headers, 'content-encoding');
    if (encoding === undefined) return this.#answer(tail, readFacts(this.#call, tail) ?? NO_FACTS, false);
    void decodeBody(encoding, tail).then((plain) => {
      const facts = 'code' in plain ? undefined : readFacts(this.#call, plain);
      this.#answer(tail, facts ?? NO_FACTS, false);
    });
  }

  /** A body of another dialect cannot pass: it goes out translated, or not at all. */
  async #endTranslated(body: Buffer, translation: Translation): Promise<void> {
    const plain = await decodeBody(headerValue(this.#headers, 'content-encoding'), body);
    if ('code' in plain) return this.#break('upstream_malformed', plain.message);
    this.#headers = withoutHeader(this.#headers, 'content-encoding');
    if (this.#status >= 300)
      return this.#answer(translateFailure(this.#status, plain, translation), NO_FACTS, true);
    const facts = readFacts(this.#call, plain);
    const answer = facts && translateAnswer(plain, translation);
    if (!answer) return this.#break('upstream_malformed', `The answer is not of ${translation.backend}.`);
    this.#answer(answer, clientFacts(facts, translation), false);
  }

  #answer(tail: Uint8Array, facts: ResponseFacts, upstreamError: boolean): void {
    this.#settle({
      kind: 'answered',
      status: this.#status,
      headers: this.#headers,
      headSent: this.#headSent,
      tail,
      facts,
      upstreamError,
      firstByteAtMs: this.#firstByteAt,
      bytesOut: this.#bytesOut + tail.length,
    });
  }

  #break(code: ErrorCode, message: string): void {
    if (this.#settled) return;
    this.#settle({
      kind: 'broken',
      refusal: refusal(code, message),
      headSent: this.#headSent,
      facts: (this.#stream ?? this.#compressed)?.facts() ?? NO_FACTS,
      bytesOut: this.#bytesOut,
      eventsOut: (this.#stream ?? this.#compressed)?.events ?? 0,
      sent: this.#sent,
    });
    this.#controller?.abort(new Error(code));
  }

  #settle(outcome: ModelOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#compressed?.close();
    this.#cancelIdle();
    this.#call.signal.removeEventListener('abort', this.#onAbort);
    this.#resolve(outcome);
  }

  /** The watchdog: one timer that looks again when it is due, since a new one for every chunk would cost more than the chunk. */
  #watch(delayMs: number): void {
    this.#cancelIdle();
    this.#cancelIdle = this.#clock.after(delayMs, () => {
      const leftMs = this.#isSuspended ? this.#idleMs : this.#lastAt + this.#idleMs - this.#clock.now();
      if (leftMs > 0) this.#watch(leftMs);
      else
        this.#break('upstream_timeout', `The upstream was silent for ${Math.round(this.#idleMs / 1000)} s.`);
    });
  }
}

function readFacts(call: ModelCall, body: Uint8Array): ResponseFacts | undefined {
  // An answer whose dialect asked for a stream may still be SSE inside a compressed body.
  if (call.facts.stream && body[0] !== 0x7b) {
    const machine = DIALECTS[call.dialect].newStream();
    machine.push(body);
    return machine.finish().facts;
  }
  return DIALECTS[call.dialect].readResponse(body);
}

const CONNECT_ERRORS = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const isConnectError = (error: Error): boolean => CONNECT_ERRORS.has((error as { code?: string }).code ?? '');
const describe = (error: unknown): string =>
  error instanceof Error ? error.message || String((error as { code?: string }).code) : String(error);
