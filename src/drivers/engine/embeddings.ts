/** OpenAI's embeddings: what is asked, and the answer, as numbers or as base64, which its SDKs ask for by themselves. Vectors are of length 1. */
import type { Json, JsonRecord } from '../../base/json.ts';
import { text } from '../../wire/read.ts';
import { LIMITS } from '../limits.ts';
import type { Embedded } from './protocol.ts';

/** The texts of a request; undefined where it holds something else, or too many. */
export function inputTexts(input: Json | undefined): string[] | undefined {
  const all: readonly unknown[] = Array.isArray(input) ? input : [input];
  const texts = all.filter((one): one is string => typeof one === 'string');
  return texts.length === all.length && all.length <= LIMITS.engineInputs.value ? texts : undefined;
}

export function encodeEmbeddings({ vectors, tokens }: Embedded, body: JsonRecord): JsonRecord {
  const encode = body.encoding_format === 'base64' ? base64Of : (vector: readonly number[]): Json => vector;
  const unit = (vector: readonly number[]) => {
    const length = Math.hypot(...vector) || 1;
    return vector.map((value) => value / length);
  };
  return {
    object: 'list',
    model: text(body, 'model'),
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: encode(unit(vector)) })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** 32-bit floats, little-endian. */
function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, at) => {
    bytes.writeFloatLE(value, at * 4);
  });
  return bytes.toString('base64');
}
