/** The part of a stream machine that all dialects share: what may leave, what is withheld, and how a stream ended. */
import type { ResponseFacts } from '../base/model.ts';
import type { StreamEnd, StreamMachine } from './dialect.ts';
import { LIMITS } from './limits.ts';
import { type PlacedEvent, type SseEvent, SseSplitter } from './sse.ts';

/** What one event means: it passes, it is the terminal event, it is the upstream's own error, or it breaks a rule. */
export type Verdict = 'pass' | 'terminal' | 'error' | { readonly violation: string };

/** A dialect's invariants over the events of one answer. */
export interface StreamRules {
  event(event: SseEvent): Verdict;
  facts(): ResponseFacts;
}

export class RuledStream implements StreamMachine {
  readonly #splitter = new SseSplitter();
  readonly #rules: StreamRules;
  readonly #tail: Uint8Array[] = [];
  #state: 'open' | 'terminal' | 'error' = 'open';
  #violation: string | undefined;
  events = 0;

  constructor(rules: StreamRules) {
    this.#rules = rules;
  }

  push(chunk: Uint8Array): Uint8Array {
    if (this.#violation !== undefined) return EMPTY;
    const events = this.#splitter.push(chunk);
    // What passes is the beginning of what came: behind the first that is kept, all are.
    let passed: PlacedEvent | undefined;
    for (const event of events) if (this.#passes(event)) passed = event;
    if (this.#splitter.restBytes > LIMITS.eventBytes.value) {
      this.#violation ??= `an event is larger than ${LIMITS.eventBytes.value} bytes`;
    }
    return passed ? (events[0] as PlacedEvent).upTo(passed) : EMPTY;
  }

  /** false: it is kept for the end, or breaks a rule. */
  #passes(event: SseEvent): boolean {
    if (this.#violation !== undefined) return false;
    // Behind the upstream's own error nothing is checked: it is the end, whatever follows.
    const verdict = event.data === '' || this.#state === 'error' ? 'pass' : this.#rules.event(event);
    if (typeof verdict === 'object') {
      this.#violation = verdict.violation;
      return false;
    }
    if (this.#state === 'open' && verdict !== 'pass') this.#state = verdict;
    if (this.#state === 'open') {
      this.events += 1;
      return true;
    }
    this.#tail.push(event.bytes);
    return false;
  }

  finish(): StreamEnd {
    // Some servers close right after the last data line, without its blank line.
    if (this.#splitter.restBytes > 0 && this.#violation === undefined) {
      const rest = this.#splitter.rest;
      const [event] = this.#splitter.push(Buffer.from('\n\n'));
      if (event && this.#passes({ name: event.name, data: event.data, bytes: rest })) this.#tail.push(rest);
    }
    const facts = this.facts();
    if (this.#violation !== undefined) return { kind: 'malformed', why: this.#violation, facts };
    if (this.#state === 'open')
      return { kind: 'cut', why: 'the stream ended without its terminal event', facts };
    const kind = this.#state === 'terminal' ? 'complete' : 'error';
    return { kind, tail: Buffer.concat(this.#tail), facts };
  }

  facts(): ResponseFacts {
    return this.#rules.facts();
  }
}

const EMPTY = new Uint8Array(0);
