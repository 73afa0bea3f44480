import assert from 'node:assert/strict';
import { once } from 'node:events';
import test, { describe } from 'node:test';
import {
  createBrotliCompress,
  createDeflate,
  createGzip,
  createZstdCompress,
  gzipSync,
  constants as zlib,
} from 'node:zlib';
import { StreamDecoder } from '../../wire/encoding.ts';
import { DIALECTS } from '../../wire/registry.ts';
import { CompressedStream } from './compressed.ts';

const event = (data: { readonly type: string; readonly [name: string]: unknown }) =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const EVENTS = [
  event({
    type: 'message_start',
    message: { id: 'm1', model: 'm', usage: { input_tokens: 3, output_tokens: 1 } },
  }),
  event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
  ...Array.from({ length: 20 }, (_, i) =>
    event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: `word ${i * i} ` } }),
  ),
  event({ type: 'content_block_stop', index: 0 }),
  event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } }),
  event({ type: 'message_stop' }),
];
const CODINGS = {
  gzip: createGzip,
  deflate: createDeflate,
  br: createBrotliCompress,
  zstd: createZstdCompress,
} as const;
type Coding = keyof typeof CODINGS;
const FLUSH = {
  gzip: zlib.Z_SYNC_FLUSH,
  deflate: zlib.Z_SYNC_FLUSH,
  br: 1,
  zstd: zlib.ZSTD_e_flush,
} as const;

/** Compressed as servers do it: flushed behind each event, or not before the end. */
async function pack(coding: Coding, events: readonly string[], flushed: boolean): Promise<Buffer> {
  const packer = CODINGS[coding]();
  const pieces: Buffer[] = [];
  packer.on('data', (piece: Buffer) => pieces.push(piece));
  for (const text of events) {
    packer.write(text);
    if (flushed) await new Promise<void>((resolve) => packer.flush(FLUSH[coding], resolve));
  }
  packer.end();
  await once(packer, 'end');
  return Buffer.concat(pieces);
}

function newStream(coding: string, rewrites = false): CompressedStream {
  const decoder = StreamDecoder.for(coding);
  assert.ok(decoder);
  return new CompressedStream(decoder, DIALECTS.anthropic.newStream(), rewrites);
}

async function play(stream: CompressedStream, bytes: Buffer, step: number) {
  const passed: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    const out = await stream.push(bytes.subarray(at, at + step));
    if ('why' in out) return { passed: Buffer.concat(passed), why: out.why };
    passed.push(out.bytes);
  }
  return { passed: Buffer.concat(passed), end: stream.finish() };
}

/** What a client's decoder can know of these bytes. */
async function decoded(coding: Coding, bytes: Uint8Array): Promise<string> {
  const pieces: Buffer[] = [];
  await StreamDecoder.for(coding)?.push(bytes, (piece) => pieces.push(piece) > 0);
  return Buffer.concat(pieces).toString();
}

describe('a compressed stream', () => {
  for (const coding of Object.keys(CODINGS) as Coding[]) {
    test(`${coding}: passes byte for byte, and nothing of its end before finish, at every cut`, async () => {
      for (const flushed of [true, false]) {
        const bytes = await pack(coding, EVENTS, flushed);
        for (const step of [1, 7, 64, bytes.length]) {
          const { passed, end } = await play(newStream(coding), bytes, step);
          assert.ok(end?.kind === 'complete', `${end?.kind}`);
          assert.equal(end.facts.usage?.output, 9);
          assert.deepEqual(Buffer.concat([passed, end.tail]), bytes);
          const early = await decoded(coding, passed);
          assert.doesNotMatch(early, /message_stop/);
          if (flushed && step === 1) assert.match(early, /word 361 /, 'the answer itself was not withheld');
        }
      }
    });
    test(`${coding}: an end that never comes, and bytes that are none of it`, async () => {
      const cut = await pack(coding, EVENTS.slice(0, -1), true);
      const { end } = await play(newStream(coding), cut, 50);
      assert.equal(end?.kind, 'cut');
      const broken = Buffer.from('this is not compressed at all, not in any way');
      assert.match((await play(newStream(coding), broken, 50)).why ?? '', /content-encoding/);
    });
    test(`${coding}: decoded where the answer is changed on its way`, async () => {
      const bytes = await pack(coding, EVENTS, true);
      const { passed, end } = await play(newStream(coding, true), bytes, 30);
      assert.ok(end?.kind === 'complete');
      assert.equal(Buffer.concat([passed, end.tail]).toString(), EVENTS.join(''));
    });
  }

  test('that decodes to too much is given up', async () => {
    const bomb = gzipSync(Buffer.alloc(70_000_000, 'data: '));
    assert.match((await play(newStream('gzip'), bomb, 65_536)).why ?? '', /decodes to more than/);
  });

  test('of another coding, or of several, has no decoder', () => {
    for (const coding of ['lzma', 'gzip, br', '']) assert.equal(StreamDecoder.for(coding), undefined);
  });
});
