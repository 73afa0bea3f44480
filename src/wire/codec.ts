/** What each dialect gives for translation: its requests, answers and streams from and to the neutral model. */
import type { JsonRecord } from '../base/json.ts';
import type { Translation } from '../base/model.ts';
import type { Losses, NeutralAnswer, NeutralEvent, NeutralRequest } from './neutral.ts';
import type { SseEvent } from './sse.ts';

export interface Codec {
  /** The path behind the dialect's base URL at which it generates. */
  readonly path: string;
  /** Of a body that the dialect has read its facts in. */
  decodeRequest(body: JsonRecord): NeutralRequest;
  /** Names in `losses` what the dialect cannot say. */
  encodeRequest(request: NeutralRequest, losses: Losses): JsonRecord;
  /** undefined when it is no whole answer of this dialect. */
  decodeAnswer(body: JsonRecord): NeutralAnswer | undefined;
  encodeAnswer(answer: NeutralAnswer, at: AnswerContext): JsonRecord;
  newDecoder(): EventDecoder;
  newEncoder(at: AnswerContext): EventEncoder;
  /** An error body in this dialect's shape for an HTTP status; `code` is one of OpenAI's, for dialects that have them. */
  encodeFailure(status: number, message: string, code?: string): JsonRecord;
}

/** What an encoder must know of the request it answers. */
export type AnswerContext = Pick<Translation, 'createdAt' | 'model' | 'includeUsage'>;

/** Feed every event that the dialect's stream machine let pass, in order. */
export interface EventDecoder {
  event(event: SseEvent): readonly NeutralEvent[];
}
/** Framed events for each neutral one. */
export interface EventEncoder {
  event(event: NeutralEvent): readonly Buffer[];
}
