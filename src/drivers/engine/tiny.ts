/**
 * The tiny model: a llama of 107,200 random weights with a byte tokenizer and a chat template, as a GGUF file of 425 kB.
 * It is made, not downloaded, and the same bytes come out on every machine. What runs on it proves mechanism (the real
 * engine, its cache, its grammar); what it says means nothing, and its name says that.
 */
import { type Random, seededRandom } from '../../base/random.ts';

export const TINY_NAME = 'tiny: random weights, it proves mechanism and says nothing';

const SHAPE = { layers: 2, width: 64, heads: 4, kvHeads: 2, feed: 128, window: 32_768 } as const;
const HEAD = SHAPE.width / SHAPE.heads;
/** Tokens 0 to 255 are bytes. */
const BYTES = 256;
const CONTROL = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const;
const END = BYTES + CONTROL.indexOf('<|im_end|>');
const VOCABULARY = BYTES + CONTROL.length;
/** What the model may say by itself: without these rows every answer would be broken UTF-8. */
const SPOKEN = new Set(
  [...'abcdefghijklmnopqrstuvwxyz ,.'].map((letter) => letter.charCodeAt(0)).concat(END),
);
/**
 * Larger than unit variance asks for: attention that looks at single tokens, and carries what it sees, so that an answer
 * depends on its whole prompt. An end that is less likely than a letter: answers of some length.
 */
const FOCUS = 0.375;
const REACH = 0.5;
const END_SCALE = 0.75;
const TEMPLATE =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const ALIGNMENT = 32;
const SEED = 1;

/** The whole file. */
export function tinyGguf(): Buffer {
  const tensors = tensorsOf(seededRandom(SEED));
  const metadata = metadataOf();
  const infos: Buffer[] = [];
  let offset = 0;
  for (const { name, shape, values } of tensors) {
    infos.push(text(name), u32(shape.length), ...shape.map(u64), u32(F32), u64(offset));
    offset += padded(values.byteLength);
  }
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(metadata.length),
    ...metadata,
    ...infos,
  ]);
  const data = tensors.map(({ values }) => pad(littleEndian(values)));
  return Buffer.concat([pad(head), ...data]);
}

interface Tensor {
  readonly name: string;
  /** Columns first, as GGUF counts. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

function tensorsOf(random: Random): Tensor[] {
  const { width, feed, kvHeads, layers } = SHAPE;
  // Unit variance, so that activations stay finite.
  const weights = (name: string, columns: number, rows: number, scale = 1 / Math.sqrt(columns)): Tensor => {
    const spread = scale * Math.sqrt(12);
    const values = Float32Array.from({ length: columns * rows }, () => (random.unit() - 0.5) * spread);
    return { name: `${name}.weight`, shape: [columns, rows], values };
  };
  const norm = (name: string): Tensor => ({
    name: `${name}.weight`,
    shape: [width],
    values: new Float32Array(width).fill(1),
  });
  const output = weights('output', width, VOCABULARY);
  for (let row = 0; row < VOCABULARY; row++)
    scaleRow(output.values, row, row === END ? END_SCALE : SPOKEN.has(row) ? 1 : 0);
  const blocks = Array.from({ length: layers }, (_, at) => [
    norm(`blk.${at}.attn_norm`),
    weights(`blk.${at}.attn_q`, width, width, FOCUS),
    weights(`blk.${at}.attn_k`, width, kvHeads * HEAD, FOCUS),
    weights(`blk.${at}.attn_v`, width, kvHeads * HEAD, REACH),
    weights(`blk.${at}.attn_output`, width, width, REACH),
    norm(`blk.${at}.ffn_norm`),
    weights(`blk.${at}.ffn_gate`, width, feed),
    weights(`blk.${at}.ffn_up`, width, feed),
    weights(`blk.${at}.ffn_down`, feed, width),
  ]);
  return [weights('token_embd', width, VOCABULARY, 1), norm('output_norm'), output, ...blocks.flat()];
}

function scaleRow(values: Float32Array, row: number, scale: number): void {
  for (let at = row * SHAPE.width; at < (row + 1) * SHAPE.width; at++)
    values[at] = (values[at] as number) * scale;
}

function metadataOf(): Buffer[] {
  const tokens = [...Array(BYTES).keys()].map(byteToken).concat(CONTROL);
  const kinds = tokens.map((_, id) => (id < BYTES ? 1 : 3));
  const llama = (name: string, value: Buffer) => pair(`llama.${name}`, value);
  const tokenizer = (name: string, value: Buffer) => pair(`tokenizer.${name}`, value);
  return [
    pair('general.architecture', string('llama')),
    pair('general.name', string(TINY_NAME)),
    pair('general.license', string('apache-2.0')),
    pair('general.file_type', uint32(0)),
    llama('block_count', uint32(SHAPE.layers)),
    llama('context_length', uint32(SHAPE.window)),
    llama('embedding_length', uint32(SHAPE.width)),
    llama('feed_forward_length', uint32(SHAPE.feed)),
    llama('attention.head_count', uint32(SHAPE.heads)),
    llama('attention.head_count_kv', uint32(SHAPE.kvHeads)),
    llama('attention.key_length', uint32(HEAD)),
    llama('attention.value_length', uint32(HEAD)),
    llama('attention.layer_norm_rms_epsilon', float32(1e-5)),
    llama('rope.dimension_count', uint32(HEAD)),
    llama('rope.freq_base', float32(10_000)),
    llama('vocab_size', uint32(VOCABULARY)),
    tokenizer('ggml.model', string('gpt2')),
    tokenizer('ggml.pre', string('gpt-2')),
    tokenizer('ggml.tokens', array(STRING, tokens.map(text))),
    tokenizer('ggml.token_type', array(INT32, kinds.map(u32))),
    // A vocabulary needs one merge; two spaces are no token, so this one never happens.
    tokenizer('ggml.merges', array(STRING, [text('Ġ Ġ')])),
    tokenizer('ggml.bos_token_id', uint32(BYTES)),
    tokenizer('ggml.eos_token_id', uint32(END)),
    tokenizer('ggml.add_bos_token', Buffer.concat([u32(BOOL), Buffer.of(0)])),
    tokenizer('chat_template', string(TEMPLATE)),
  ];
}

/** GPT-2's printable name of a byte: itself where it prints, else the next free character from U+0100 on. */
function byteToken(byte: number): string {
  const prints = (value: number) =>
    (value >= 33 && value <= 126) || (value >= 161 && value <= 172) || value >= 174;
  if (prints(byte)) return String.fromCharCode(byte);
  const before = [...Array(byte).keys()].filter((value) => !prints(value)).length;
  return String.fromCharCode(256 + before);
}

// The file format: github.com/ggml-org/ggml, docs/gguf.md, version 3. All of it is little-endian.
const UINT32 = 4;
const INT32 = 5;
const FLOAT32 = 6;
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;
/** A tensor's type, not a value's. */
const F32 = 0;

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const pair = (name: string, value: Buffer): Buffer => Buffer.concat([text(name), value]);
const uint32 = (value: number): Buffer => Buffer.concat([u32(UINT32), u32(value)]);
const float32 = (value: number): Buffer => Buffer.concat([u32(FLOAT32), f32(value)]);
const string = (value: string): Buffer => Buffer.concat([u32(STRING), text(value)]);
const array = (type: number, items: readonly Buffer[]): Buffer =>
  Buffer.concat([u32(ARRAY), u32(type), u64(items.length), ...items]);

const padded = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT;
const pad = (bytes: Buffer): Buffer => Buffer.concat([bytes], padded(bytes.length));

function littleEndian(values: Float32Array): Buffer {
  const bytes = Buffer.alloc(values.byteLength);
  values.forEach((value, at) => {
    bytes.writeFloatLE(value, at * 4);
  });
  return bytes;
}
