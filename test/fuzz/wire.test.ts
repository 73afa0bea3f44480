/** Wire code reads what strangers send: it may refuse, but it never throws, and what it passes is what came. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { DIALECTS } from '../../src/wire/registry.ts';
import { scanBody, textOf } from '../../src/wire/scan.ts';

const GOLDEN = Buffer.from(
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":1}}}\n\n' +
    'event: content_block_start\r\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text"}}\r\n\r\n' +
    'data: {"type":"response.created","sequence_number":1,"response":{"id":"r"}}\r\rdata: {"choices":[{"delta":{}}]}\n\n' +
    'data: {"type":"response.completed","sequence_number":2,"response":{}}\n\ndata: {"type":"message_stop"}\n\ndata: [DONE]\n\n',
);
const mutated = fc
  .array(fc.tuple(fc.nat(GOLDEN.length - 1), fc.nat(255), fc.nat(40)), { maxLength: 4 })
  .map((edits) => {
    let bytes: Buffer = Buffer.from(GOLDEN);
    for (const [at, byte, drop] of edits)
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.of(byte), bytes.subarray(at + drop)]);
    return bytes;
  });

it('streams: any bytes in any pieces never throw; what leaves is a prefix, and with the tail it is everything', () => {
  const stream = fc.oneof(
    mutated,
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(stream, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (bytes, sizes) => {
      for (const dialect of Object.values(DIALECTS)) {
        const machine = dialect.newStream();
        const out: Uint8Array[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length] as number;
          out.push(Buffer.from(machine.push(bytes.subarray(at, at + size))));
          at += size;
        }
        const end = machine.finish();
        const passed = Buffer.concat(out);
        assert.ok(bytes.subarray(0, passed.length).equals(passed));
        if ('tail' in end) assert.ok(Buffer.concat([passed, end.tail]).equals(bytes));
      }
    }),
    { numRuns: 1500 },
  );
});

it('the scan accepts every JSON object and finds its members', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 6 })), fc.nat(2), (value, indent) => {
      const body = Buffer.from(JSON.stringify(value, null, indent));
      const scan = scanBody(body, ['messages']);
      assert.ok(!('problem' in scan));
      assert.deepEqual([...scan.members.keys()].sort(), Object.keys(value).sort());
      for (const [key, range] of scan.members)
        assert.equal(JSON.stringify(JSON.parse(textOf(body, range))), JSON.stringify(value[key]));
    }),
    { numRuns: 1000 },
  );
});

it('a body that JSON.parse refuses is refused, but for what hides inside strings', () => {
  const text = fc
    .tuple(
      fc.dictionary(
        fc.constantFrom('a', 'b', 'c'),
        fc.jsonValue({ maxDepth: 3, stringUnit: 'grapheme-ascii' }),
      ),
      fc.nat(),
      fc.constantFrom(...',:[]{}"0tx '),
    )
    .map(([value, at, char]) => {
      const whole = JSON.stringify(value);
      const place = at % whole.length;
      return whole.slice(0, place) + char + whole.slice(place + 1);
    })
    .filter((mutant) => !mutant.includes('\\'));
  fc.assert(
    fc.property(text, (mutant) => {
      let good = true;
      try {
        JSON.parse(mutant);
      } catch {
        good = false;
      }
      if (!good) assert.ok('problem' in scanBody(Buffer.from(mutant), []), mutant);
    }),
    { numRuns: 2000 },
  );
});

it('requests, answers and messages: any bytes never throw', () => {
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
    fc
      .record({
        model: fc.jsonValue(),
        messages: fc.jsonValue(),
        input: fc.jsonValue(),
        tools: fc.jsonValue(),
        container: fc.jsonValue(),
      })
      .map((value) => Buffer.from(JSON.stringify({ ...value, model: 'm' }))),
  );
  fc.assert(
    fc.property(body, (bytes) => {
      for (const dialect of Object.values(DIALECTS)) {
        dialect.readRequest(bytes);
        dialect.readResponse(bytes);
        dialect.canonicalMessage(bytes);
      }
    }),
    { numRuns: 1500 },
  );
});
