import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MemoryStore } from '../db/memory/store.ts';
import { DIALECTS } from '../wire/registry.ts';
import { ContextStore, rebuildRequest } from './context.ts';
import { cutMarks, insertMarks } from './marks.ts';

const mark = { cache_control: { type: 'ephemeral' } };

/** Stores bodies one after the other; says how many bytes of content each one added. */
function open() {
  const store = new MemoryStore();
  const context = new ContextStore();
  let calls = 0;
  const keep = async (body: Buffer): Promise<{ call: string; added: number }> => {
    const facts = DIALECTS.anthropic.readRequest(body);
    assert.ok(!('problem' in facts));
    const call = `c${calls++}`;
    const links = context.links('anthropic', DIALECTS.anthropic.canonicalMessage, body, facts);
    const { puts, blobs } = context.store({ call, owner: 'me', asked: null }, body, facts, links, calls);
    await store.commit({ puts, blobs });
    return { call, added: blobs.reduce((sum, blob) => sum + blob.bytes.length, 0) };
  };
  return { store, keep };
}

const body = (request: number, texts: readonly string[]) => {
  const messages = texts.map((text, i) => ({
    role: i % 2 === 0 ? 'user' : 'assistant',
    content: [{ type: 'text', text, ...(i === texts.length - 1 ? mark : {}) }],
  }));
  const system = [
    { type: 'text', text: `attribution ${request}` },
    { type: 'text', text: 'You are careful. '.repeat(200), ...mark },
  ];
  return Buffer.from(JSON.stringify({ model: 'm', max_tokens: 9, system, messages }));
};

test('only what is new is stored: marks that move and a first system block that changes cost no second copy', async () => {
  const { store, keep } = open();
  const texts = ['a', 'b', 'c'].map((letter) => letter.repeat(3000));
  const first = body(1, texts.slice(0, 1));
  const second = body(2, texts);
  const one = await keep(first);
  const two = await keep(second);
  assert.ok(one.added < first.length + 100, `${one.added} of ${first.length}`);
  assert.ok(two.added < 6000 + 600, `${two.added} bytes for 6000 new ones`);
  assert.deepEqual(await rebuildRequest(store, one.call), first);
  assert.deepEqual(await rebuildRequest(store, two.call), second);
});

test('any body is put together again byte for byte', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.constantFrom('},{', ',"cache_control":{"type":"ephemeral"}', '\\"'),
  );
  const bodies = fc.array(
    fc.record({
      texts: fc.array(text, { minLength: 1, maxLength: 6 }),
      spaces: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 1, maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(bodies, async (list) => {
      const { store, keep } = open();
      for (const { texts, spaces } of list) {
        const bytes = Buffer.from(
          JSON.stringify(JSON.parse(body(list.length, texts).toString()), null, spaces),
        );
        const { call } = await keep(bytes);
        assert.deepEqual(await rebuildRequest(store, call), bytes);
      }
    }),
    { numRuns: 100 },
  );
});

test('what is cut can be inserted again', () => {
  const piece = fc.constantFrom(
    ',"cache_control":{"type":"ephemeral"}',
    ',"cache_control":{"type":"ephemeral","ttl":"1h"}',
    ',"cache_control":{"type":"other"}',
    '{"text":"\u00e9"',
    '}',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const bytes = Buffer.from(pieces.join(''));
      const cut = cutMarks(bytes);
      assert.deepEqual(cut ? Buffer.from(insertMarks(cut.bytes, cut.marks)) : bytes, bytes);
      assert.equal(cut !== undefined, /"ephemeral"/.test(bytes.toString()));
    }),
  );
});
