/**
 * Keeps mezz's own key for a backend from the agents: where an answer repeats it, as some providers' errors do, stars
 * stand in its place, as many as it has characters. No other byte changes.
 */
import type { ModelOutcome, ResponseSink } from '../../base/model.ts';
import { decodeBody } from '../../wire/encoding.ts';
import { headerValue, withoutHeader } from './headers.ts';

export class KeyGuard {
  readonly #key: string;

  /** The header pairs that carry the key. */
  constructor(keyHeaders: readonly string[]) {
    this.#key = (keyHeaders[1] ?? '').replace(/^bearer /i, '');
  }

  /** What is written is whole events or whole bodies: the key is never split between two writes. */
  sink(inner: ResponseSink): ResponseSink {
    return {
      transformed: (...named) => inner.transformed(...named),
      waits: (isWaiting) => inner.waits(isWaiting),
      head: (status, headers) => inner.head(status, this.#headers(headers)),
      write: (bytes) => inner.write(this.#bytes(bytes)),
      drained: () => inner.drained(),
    };
  }

  async outcome(outcome: ModelOutcome): Promise<ModelOutcome> {
    if (outcome.kind === 'broken') return outcome;
    const encoding = headerValue(outcome.headers, 'content-encoding');
    const headers = this.#headers(outcome.headers);
    if (!outcome.upstreamError || encoding === undefined)
      return { ...outcome, headers, tail: this.#bytes(outcome.tail) };
    const plain = await decodeBody(encoding, outcome.tail);
    const tail = 'code' in plain ? plain : this.#bytes(plain);
    // Unreadable, or free of the key: it passes as it came.
    if ('code' in tail || tail === plain) return { ...outcome, headers };
    return { ...outcome, headers: withoutHeader(headers, 'content-encoding'), tail };
  }

  #headers(headers: readonly string[]): string[] {
    return headers.map((text) => (this.#key === '' ? text : text.replaceAll(this.#key, this.#stars())));
  }

  /** The same object where the key is not in it. */
  #bytes(bytes: Uint8Array): Uint8Array {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (this.#key === '' || !view.includes(this.#key)) return bytes;
    return Buffer.from(view.toString('latin1').replaceAll(this.#key, this.#stars()), 'latin1');
  }

  #stars(): string {
    return '*'.repeat(this.#key.length);
  }
}
