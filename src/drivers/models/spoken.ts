/** An answer in a dialect that may be broken off and continued: what the connection (continuing.ts) asks of it. */
import type { JsonRecord } from '../../base/json.ts';
import type { SseEvent } from '../../wire/sse.ts';

export interface Spoken {
  /** It is more than text by now, or about to end: it is left to end. */
  readonly isFixed: boolean;
  /** A continued answer has said nothing new yet. */
  readonly isRepeating: boolean;
  /** Every token that it has, where its server told them. */
  readonly ids?: readonly number[] | undefined;
  /** Tokens that the request allows still; undefined where it sets no bound. */
  left(): number | undefined;
  /** Another connection goes on from its words: the request for that, or undefined where the first one is to be sent. */
  goOn(): JsonRecord | undefined;
  /** Another connection goes on from its tokens, after this prompt: the request for that. */
  goOnByIds?(prompt: string): JsonRecord;
  /** What its client gets of an event. */
  hear(event: SseEvent, isFirst: boolean): Buffer[];
}
