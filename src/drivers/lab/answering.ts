/** What the lab's model says, on its way out: streamed or whole, with the limits and failures of hosted APIs. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import type { JsonRecord } from '../../base/json.ts';
import type { NeutralDialect } from '../../base/model.ts';
import type { AnswerContext } from '../../wire/codec.ts';
import { collectAnswer } from '../../wire/collect.ts';
import type { NeutralEvent, NeutralRequest } from '../../wire/neutral.ts';
import { CODECS } from '../../wire/translate.ts';
import type { LabEnd, LabEngine } from './engine.ts';

/** On every answer of a lab, whoever reads it. */
export const LABEL = { 'x-mezz-lab': 'this is no model' };

export const failure = (dialect: NeutralDialect, status: number, message: string): JsonRecord =>
  CODECS[dialect].encodeFailure(status, message);

/** One answer of the lab's model on its way out. */
export class Answering {
  readonly #engine: LabEngine;
  readonly #clock: Clock;
  readonly #dialect: NeutralDialect;
  readonly #request: NeutralRequest;
  readonly #at: AnswerContext;
  readonly #response: ServerResponse;

  constructor(
    engine: LabEngine,
    clock: Clock,
    request: NeutralRequest,
    at: AnswerContext,
    response: ServerResponse,
  ) {
    this.#engine = engine;
    this.#clock = clock;
    this.#dialect = request.from;
    this.#request = request;
    this.#at = at;
    this.#response = response;
  }

  async run(): Promise<void> {
    const left = new AbortController();
    this.#response.on('close', () => left.abort());
    const events: NeutralEvent[] = [];
    const encoder = CODECS[this.#dialect].newEncoder(this.#at);
    const emit = (event: NeutralEvent): void => {
      if (!this.#request.stream) return void events.push(event);
      if (!this.#response.headersSent) this.#head(200, 'text/event-stream');
      for (const bytes of encoder.event(event)) this.#response.write(bytes);
    };
    const end = await this.#engine.serve(this.#request, emit, left.signal);
    this.#finish(end, events);
  }

  #finish(end: LabEnd, events: readonly NeutralEvent[]): void {
    const response = this.#response;
    switch (end.kind) {
      case 'done':
        if (this.#request.stream) return void response.end();
        return this.#body(200, CODECS[this.#dialect].encodeAnswer(collectAnswer(events), this.#at));
      case 'refused':
        response.setHeader('retry-after', String(Math.ceil(end.retryAfterMs / 1000)));
        return this.#body(end.status, failure(this.#dialect, end.status, end.message));
      case 'malformed':
        // Half a JSON object, as an event or as the body.
        return void response.end(this.#request.stream ? 'data: {"type":\n\n' : '{"type":');
      case 'cut':
      case 'left':
        return void response.destroy();
    }
  }

  #body(status: number, value: JsonRecord): void {
    this.#head(status, 'application/json');
    this.#response.end(JSON.stringify(value));
  }

  #head(status: number, type: string): void {
    const kind = this.#dialect === 'anthropic' ? 'anthropic' : 'openai';
    for (const [name, value] of this.#engine.allowance.headers(kind, this.#clock.now()))
      this.#response.setHeader(name, value);
    this.#response.writeHead(status, { 'content-type': type, ...LABEL });
  }
}
