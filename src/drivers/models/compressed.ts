/**
 * A compressed event stream. Its bytes pass as they came; its events are watched on a copy that is decoded chunk by
 * chunk. Invariant: a chunk leaves only when all that it decodes to belongs to events that may leave, so the end is
 * withheld byte for byte, in every coding: decoders hand out all that their input so far determines, and the client's
 * cannot know more. Where a transform changes the answer, the decoded bytes pass instead, without the coding's name.
 */
import type { ResponseFacts } from '../../base/model.ts';
import type { StreamEnd, StreamMachine } from '../../wire/dialect.ts';
import type { StreamDecoder } from '../../wire/encoding.ts';
import { LIMITS } from '../limits.ts';

/** Bytes that may leave now, or why the stream cannot go on. */
export type Passed = { readonly bytes: Uint8Array } | { readonly why: string };

interface Waiting {
  readonly chunk: Uint8Array;
  /** Decoded bytes of the stream up to the end of this chunk. */
  readonly decodedTo: number;
}

export class CompressedStream {
  readonly #decoder: StreamDecoder;
  readonly #machine: StreamMachine;
  readonly #rewrites: boolean;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #decoded = 0;
  /** Decoded bytes that the machine let pass. */
  #passed = 0;

  /** `rewrites`: the machine gives out other bytes than it was given. */
  constructor(decoder: StreamDecoder, machine: StreamMachine, rewrites: boolean) {
    this.#decoder = decoder;
    this.#machine = machine;
    this.#rewrites = rewrites;
  }

  async push(chunk: Uint8Array): Promise<Passed> {
    const plain: Uint8Array[] = [];
    const valid = await this.#decoder.push(chunk, (piece) => {
      this.#decoded += piece.length;
      const passed = this.#machine.push(piece);
      this.#passed += passed.length;
      if (this.#rewrites) plain.push(passed);
      return this.#decoded <= LIMITS.decodedBytes.value;
    });
    if (this.#decoded > LIMITS.decodedBytes.value)
      return { why: `it decodes to more than ${LIMITS.decodedBytes.value} bytes` };
    if (!valid) return { why: 'it is not what its content-encoding says' };
    if (this.#rewrites) return { bytes: Buffer.concat(plain) };
    this.#waiting.push({ chunk, decodedTo: this.#decoded });
    this.#waitingBytes += chunk.length;
    const bytes = this.#release();
    return this.#waitingBytes > LIMITS.answerBytes.value
      ? { why: `more than ${LIMITS.answerBytes.value} bytes of it wait for an end` }
      : { bytes };
  }

  #release(): Buffer {
    const out: Uint8Array[] = [];
    for (let [first] = this.#waiting; first && first.decodedTo <= this.#passed; [first] = this.#waiting) {
      this.#waiting.shift();
      this.#waitingBytes -= first.chunk.length;
      out.push(first.chunk);
    }
    return Buffer.concat(out);
  }

  finish(): StreamEnd {
    this.#decoder.close();
    const end = this.#machine.finish();
    if (this.#rewrites || !('tail' in end)) return end;
    return { ...end, tail: Buffer.concat(this.#waiting.map(({ chunk }) => chunk)) };
  }

  close(): void {
    this.#decoder.close();
  }

  get events(): number {
    return this.#machine.events;
  }

  facts(): ResponseFacts {
    return this.#machine.facts();
  }
}
