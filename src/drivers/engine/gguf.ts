/** What the head of a GGUF file says of the model in it (github.com/ggml-org/ggml, docs/gguf.md, versions 2 and 3). */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { LIMITS } from '../limits.ts';

export interface GgufFacts {
  readonly name: string;
  readonly architecture: string;
  /** As the file says it; undefined where it does not. */
  readonly licence: string | undefined;
  /** Tokens of the longest conversation it was trained on. */
  readonly windowTokens: number | undefined;
  /** Does it say how a conversation is written? Without one it only completes text. */
  readonly chat: boolean;
}

/** The facts, or why this is no model that can be read. */
export function readGguf(path: string): GgufFacts | { readonly problem: string } {
  try {
    return factsOf(new Reader(readHead(path)));
  } catch (error) {
    if (error instanceof RangeError)
      return { problem: 'it ends, or is damaged, before the model is described' };
    throw error;
  }
}

function readHead(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(Math.min(fstatSync(file).size, LIMITS.ggufHeadBytes.value));
    return head.subarray(0, readSync(file, head, 0, head.length, 0));
  } finally {
    closeSync(file);
  }
}

function factsOf(reader: Reader): GgufFacts | { readonly problem: string } {
  if (reader.take(4).toString('latin1') !== 'GGUF') return { problem: 'it is no GGUF file' };
  const version = reader.u32();
  if (version !== 2 && version !== 3) return { problem: `its GGUF version ${version} is not known` };
  const tensors = reader.u64();
  const found = new Map<string, string | number | boolean>();
  for (let left = reader.u64(); left > 0; left--) {
    const key = reader.text();
    const value = reader.value(reader.u32());
    if (value !== undefined) found.set(key, value);
  }
  const text = (key: string): string | undefined => {
    const value = found.get(key);
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const architecture = text('general.architecture');
  if (architecture === undefined || tensors === 0) return { problem: 'it holds no model' };
  const window = found.get(`${architecture}.context_length`);
  return {
    name: text('general.name') ?? '',
    architecture,
    licence: text('general.license'),
    windowTokens: typeof window === 'number' ? window : undefined,
    chat: found.has('tokenizer.chat_template'),
  };
}

/** Bytes of the scalar types by their number; 8 is a string and 9 an array. */
const WIDTHS = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const STRING = 8;
const ARRAY = 9;

/** Throws a RangeError where the file ends. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    const end = this.#at + length;
    if (!(length >= 0 && end <= this.#bytes.length)) throw new RangeError('the head ends');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  u32(): number {
    return this.take(4).readUInt32LE();
  }

  u64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  text(): string {
    return this.take(this.u64()).toString('utf8');
  }

  /** A text or a number; undefined for what nobody here asks about, which is passed over. */
  value(type: number): string | number | undefined {
    if (type === STRING) return this.text();
    if (type === ARRAY) return this.#passArray();
    const width = WIDTHS[type];
    if (width === undefined) throw new RangeError('no such type');
    const bytes = this.take(width);
    return type === 4 ? bytes.readUInt32LE() : type === 10 ? Number(bytes.readBigUInt64LE()) : undefined;
  }

  #passArray(): undefined {
    const type = this.u32();
    const count = this.u64();
    const width = WIDTHS[type];
    if (width === undefined) throw new RangeError('no such type');
    if (width > 0) this.take(width * count);
    else for (let left = count; left > 0; left--) this.value(type);
    return undefined;
  }
}
