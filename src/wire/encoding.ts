/** Compressed bodies are read on a copy; what travels on is the original. */

import type { Transform } from 'node:stream';
import { promisify } from 'node:util';
import {
  brotliDecompress,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
  gunzip,
  inflate,
  zstdDecompress,
} from 'node:zlib';
import { type Refusal, refusal } from '../base/errors.ts';
import { tableOf } from '../base/json.ts';
import { LIMITS } from './limits.ts';

interface Bounds {
  readonly maxOutputLength: number;
  readonly chunkSize: number;
}

const DECODERS = tableOf<(body: Uint8Array, options: Bounds) => Promise<Uint8Array>>({
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
});

/** The plain bytes of a body, at most `LIMITS.bodyBytes` of them; the same object when it is not compressed. */
export async function decodeBody(
  encoding: string | undefined,
  body: Uint8Array,
): Promise<Uint8Array | Refusal> {
  const name = (encoding ?? '').trim().toLowerCase();
  if (name === '' || name === 'identity') return body;
  const decoder = DECODERS[name];
  if (!decoder) {
    return refusal(
      'unsupported_encoding',
      `The content encoding "${name}" is not one of ${Object.keys(DECODERS).join(', ')}.`,
    );
  }
  try {
    // In pieces that fit the body: with the default of 16 kB a large one takes five times as long.
    const chunkSize = Math.min(Math.max(4 * body.length, 16_384), 262_144);
    return await decoder(body, { maxOutputLength: LIMITS.bodyBytes.value, chunkSize });
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') {
      return refusal('too_large', `The decompressed body is larger than ${LIMITS.bodyBytes.value} bytes.`);
    }
    return refusal('bad_request', `The body is not valid ${name} data.`);
  }
}

const STREAM_DECODERS = tableOf<() => Transform>({
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
});

/** Decodes a body as it comes. Memory: what its caller keeps, and the window of the coding. */
export class StreamDecoder {
  readonly #stream: Transform;
  #take: (piece: Buffer) => boolean = () => true;
  #settle: (valid: boolean) => void = () => {};
  #stopped = false;

  /** Undefined for a coding that is not one of the four, or several at once. */
  static for(encoding: string): StreamDecoder | undefined {
    const make = STREAM_DECODERS[encoding.trim().toLowerCase()];
    return make && new StreamDecoder(make());
  }

  private constructor(stream: Transform) {
    this.#stream = stream;
    stream.on('readable', () => this.#drain());
    // An error is told by the write that caused it; a stream that closed has nothing more to say.
    stream.on('error', () => {});
    stream.on('close', () => this.#settle(false));
  }

  /**
   * Hands all that `chunk` decodes to to `take`, in order, before it resolves; false when it is not valid or `take`
   * said to stop. One push at a time.
   */
  push(chunk: Uint8Array, take: (piece: Buffer) => boolean): Promise<boolean> {
    this.#take = take;
    return new Promise((resolve) => {
      if (this.#stopped) return resolve(false);
      this.#settle = resolve;
      this.#stream.write(chunk, (error) => {
        if (error) return resolve(false);
        this.#drain();
        resolve(!this.#stopped);
      });
    });
  }

  #drain(): void {
    for (let piece = this.#read(); piece !== null; piece = this.#read()) {
      if (!this.#take(piece)) this.close();
    }
  }

  #read(): Buffer | null {
    return this.#stopped ? null : (this.#stream.read() as Buffer | null);
  }

  close(): void {
    this.#stopped = true;
    this.#stream.destroy();
  }
}
