/**
 * wire/ reads and writes the model APIs' dialects as pure functions over bytes. Invariant: it never changes a byte
 * of what passes (named transforms apart), knows no agent, no budget and no socket, and throws only for its own bugs.
 */
import type { Refusal } from '../base/errors.ts';
import type { JsonRecord } from '../base/json.ts';
import type { DialectName, RequestFacts, ResponseFacts } from '../base/model.ts';

export interface ReadProblem {
  readonly problem: Refusal;
}

/** A tool call that an answer asks its client to make. */
export interface AskedCall {
  readonly id: string;
  readonly name: string;
  /** Undefined when the arguments are no JSON, or JSON that two readers could read differently. */
  readonly input: JsonRecord | undefined;
  /** The dialect's own type of the call: what its result must be called. */
  readonly type: string;
}

export interface Answer {
  /** JSON texts as the model wrote them: content blocks, one message, or output items; undefined if they cannot be had. */
  readonly items: readonly string[] | undefined;
  /** All of them; what already ran at the provider is not among them. */
  readonly calls: readonly AskedCall[];
}

export interface RefusedCall {
  readonly call: AskedCall;
  /** What the model is told instead of a result. */
  readonly text: string;
}

/** A whole HTTP error answer in one dialect. `headers` is flat: name, value, ... */
export interface WireError {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** What is filled in member by member. */
export type Writable<T> = { -readonly [K in keyof T]: T[K] };

export interface Dialect {
  readonly name: DialectName;
  /** One scan of a decoded body. Duplicate keys at the top level, too much depth or broken UTF-8 are problems. */
  readRequest(body: Uint8Array): RequestFacts | ReadProblem;
  /** Facts of a whole, non-streamed success answer; undefined if it is not one this dialect allows. */
  readResponse(body: Uint8Array): ResponseFacts | undefined;
  newStream(): StreamMachine;
  /** A whole, complete success answer, streamed or not, as what the next request would hold of it. */
  readAnswer(body: Uint8Array): Answer | undefined;
  /**
   * The named transform `held`: the request that answers each of the answer's calls in the client's stead, everything
   * before left as it came. undefined where this dialect has no way to say so.
   */
  continueRefused(body: Uint8Array, answer: Answer, results: readonly RefusedCall[]): Buffer | undefined;
  /** One message's canonical form: the same for "the same conversation" however the client spells it. */
  canonicalMessage(bytes: Uint8Array): string;
  encodeError(refusal: Refusal): WireError;
  /** The refusal as this dialect's in-stream error event, SSE-framed, behind `eventsBefore` others. */
  encodeErrorEvent(refusal: Refusal, eventsBefore: number): Buffer;
  /** A keep-alive that every client of this dialect ignores, SSE-framed. */
  encodeHeartbeat(): Buffer;
}

/**
 * Watches one SSE answer pass. Feed every chunk; what may go to the client now comes back, the terminal event and
 * all after it are kept for `finish`. Memory is bounded: an event larger than the bound is a violation.
 */
export interface StreamMachine {
  /** Bytes that may leave now (a view or a copy), possibly empty. */
  push(chunk: Uint8Array): Uint8Array;
  /** The upstream closed. `complete`: the terminal event was seen once and every invariant held until then. */
  finish(): StreamEnd;
  /** Events that may have left by now. */
  readonly events: number;
  /** What is known so far (partial usage when the client leaves). */
  facts(): ResponseFacts;
}

export type StreamEnd =
  | { readonly kind: 'complete'; readonly tail: Uint8Array; readonly facts: ResponseFacts }
  /** The upstream itself ended with an error event: it passes unchanged as the tail. */
  | { readonly kind: 'error'; readonly tail: Uint8Array; readonly facts: ResponseFacts }
  /** Ended without its terminal event, or broke an invariant: the client gets an error event instead. */
  | { readonly kind: 'cut'; readonly why: string; readonly facts: ResponseFacts }
  | { readonly kind: 'malformed'; readonly why: string; readonly facts: ResponseFacts };
