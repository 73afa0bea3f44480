/** Compressed bodies are read on a copy; what travels on is the original. */
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { type Refusal, refusal } from '../base/errors.ts';
import { LIMITS } from './limits.ts';

const DECODERS = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
} as const;

/** The plain bytes of a body, at most `LIMITS.bodyBytes` of them; the same object when it is not compressed. */
export async function decodeBody(
  encoding: string | undefined,
  body: Uint8Array,
): Promise<Uint8Array | Refusal> {
  const name = (encoding ?? '').trim().toLowerCase();
  if (name === '' || name === 'identity') return body;
  const decoder = DECODERS[name as keyof typeof DECODERS];
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
