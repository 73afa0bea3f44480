/** Results that are too large to be shown: what an agent sees, how it reads on, and who else can. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRecord, type JsonRecord } from '../base/json.ts';
import type { ToolServer } from '../base/ports.ts';
import { RESULT } from '../db/schema/tools.ts';
import { planErasure } from '../journal/erasure.ts';
import { retire } from '../journal/retention.ts';
import { LIMITS } from '../tools/limits.ts';
import { openRoom } from './room.fixture.test.ts';

type Bodies = 'keep' | 'off';

/** A server whose tool answers what a test says. */
function boxOf(first: JsonRecord, resultCharacters: number) {
  const box: ToolServer & { result: JsonRecord } = {
    result: first,
    spec: { id: 'box', command: [], env: {}, cwd: '/', resultCharacters },
    osPid: undefined,
    said: '',
    describe: async () => ({ software: 'box', tools: [{ name: 'log' }] }),
    call: async (ticket) => {
      ticket.use();
      return { kind: 'called', result: box.result, isError: false };
    },
    close: async () => {},
  };
  return box;
}

/** Before agents who use it. */
async function withResult(first: JsonRecord, resultCharacters: number, bodies: Bodies = 'keep') {
  const box = boxOf(first, resultCharacters);
  const room = await openRoom([box]);
  room.parts.settings = { ...room.parts.settings, bodies };
  room.parts.loops.tune({ repeats: 100_000, windowMs: 60_000, nanoUsdPerHour: 1e15 });
  const [ann, bob] = [await room.hire('ann'), await room.hire('bob')];
  type Agent = typeof ann;
  const use = async (agent: Agent, name: string, input: JsonRecord): Promise<JsonRecord> => {
    const outcome = await agent.offered(name, input);
    assert.ok(!('code' in outcome) && outcome.kind === 'called', JSON.stringify(outcome));
    return outcome.result;
  };
  return { ...room, ann, bob, use, box };
}

const itemsOf = ({ content }: JsonRecord): JsonRecord[] => (content as JsonRecord[]).filter(isRecord);
const textOf = (result: JsonRecord): string => String(itemsOf(result)[0]?.text);
const READ_ON = /\[mezz: [^\]]*Read on: mezz__read_result (\{[^}]*\})\]/;

/** All of a part, read on from its beginning as the answers say. */
async function readAll({ use, ann }: Awaited<ReturnType<typeof withResult>>, id: string, length: number) {
  let [all, next] = ['', { result: id, offset: 0, length } as JsonRecord | undefined];
  while (next) {
    const text = textOf(await use(ann, 'mezz__read_result', next));
    const more = READ_ON.exec(text);
    all += more ? text.slice(0, more.index - 1) : text;
    next = more ? { ...(JSON.parse(more[1] ?? '') as JsonRecord), length } : undefined;
  }
  return all;
}

test('of a long result an agent is shown head and tail within the bound, and reads all of it on, whatever it holds', async () => {
  for (const bodies of ['keep', 'off'] as const) {
    const room = await withResult({}, 1000, bodies);
    const holds = async (written: string, length: number) => {
      // What is no text in UTF-8 does not come by JSON.
      const text = written.toWellFormed();
      room.box.result = { content: [{ type: 'text', text }] };
      const [item, link] = itemsOf(await room.use(room.ann, 'box__log', {}));
      const shown = String(item?.text);
      const said = READ_ON.exec(shown);
      assert.ok(said, 'it says how to read on');
      const { result, offset } = JSON.parse(said[1] ?? '') as { result: string; offset: number };
      assert.ok(text.startsWith(shown.slice(0, said.index - 1)));
      assert.ok(text.endsWith(shown.slice(said.index + said[0].length + 1)));
      assert.ok(shown.length <= 1000 + said[0].length + 2);
      assert.deepEqual(
        [link?.type, link?.uri],
        ['resource_link', `mezz://result/${result}?offset=${offset}`],
      );
      assert.equal(await readAll(room, result, length), text);
    };
    const anyText = fc.string({ minLength: 1200, maxLength: 2500, unit: 'binary' });
    await fc.assert(fc.asyncProperty(anyText, fc.integer({ min: 400, max: 900 }), holds), { numRuns: 5 });
  }
});

test('a result within its bound passes as it came, and no part of it is kept', async () => {
  const result = {
    content: [
      { type: 'text', text: 'x'.repeat(900) },
      { type: 'image', data: 'AAAA', mimeType: 'image/png' },
    ],
    structuredContent: { rows: [1, 2, 3] },
  };
  const { use, ann, store } = await withResult(result, 1100);
  assert.deepEqual(await use(ann, 'box__log', {}), result);
  assert.deepEqual(await store.range(RESULT, { limit: 9 }), []);
});

test('what is kept of a result is read by the agent whose call it was, and by no other', async () => {
  const text = 'secret '.repeat(1000);
  for (const bodies of ['keep', 'off'] as const) {
    const { use, ann, bob } = await withResult({ content: [{ type: 'text', text }] }, 1000, bodies);
    const said = READ_ON.exec(textOf(await use(ann, 'box__log', {})));
    const input = JSON.parse(said?.[1] ?? '') as JsonRecord;
    const refused = await use(bob, 'mezz__read_result', input);
    assert.equal(refused.isError, true);
    assert.match(textOf(refused), /There is no .* of this agent/);
    assert.match(textOf(await use(ann, 'mezz__read_result', input)), /secret/);
  }
});

test('structured content keeps its shape, files keep their bytes, and small parts in any number end somewhere', async () => {
  const data = Buffer.alloc(LIMITS.shownBinary.value, 7).toString('base64');
  const result = {
    content: [
      { type: 'image', data, mimeType: 'image/png' },
      ...Array.from({ length: 1000 }, (_, n) => ({ type: 'text', text: `row ${n}` })),
    ],
    structuredContent: {
      title: 'long',
      text: 'y'.repeat(50_000),
      rows: Array.from({ length: 5000 }, (_, n) => n),
    },
  };
  const { use, ann, store, parts } = await withResult(result, 5000);
  const shown = await use(ann, 'box__log', {});
  assert.ok(JSON.stringify(shown).length < 5000 * 8, 'links and notes included');
  const { title, text, rows } = shown.structuredContent as { title: string; text: string; rows: number[] };
  assert.equal(title, 'long');
  assert.ok(text.length > 0 && 'y'.repeat(50_000).startsWith(text) && rows.length > 0 && rows.length < 5000);
  const kept = await store.range(RESULT, { limit: 100 });
  assert.equal(kept.length, LIMITS.keptParts.value + 1, 'the structured content beside the parts');
  const image = kept.find(({ key }) => key === '0');
  const bytes = image && (await parts.results.read(ann.agent.pid, `${image.call}/0`))?.bytes;
  assert.equal(
    bytes?.every((byte) => byte === 7),
    true,
  );
  assert.match(JSON.stringify(shown.content), /more parts are neither shown nor kept/);
});

test('what is kept goes with the records of its agent, and with its time', async () => {
  const text = 'gone '.repeat(1000);
  for (const how of ['erase', 'retire'] as const) {
    const { use, ann, store, parts } = await withResult({ content: [{ type: 'text', text }] }, 1000);
    const said = READ_ON.exec(textOf(await use(ann, 'box__log', {})));
    const input = JSON.parse(said?.[1] ?? '') as JsonRecord;
    const [row] = await store.range(RESULT, { limit: 9 });
    assert.ok(row && (await store.blob('me', row.hash)));
    if (how === 'retire') await retire(parts, { bodiesBeforeMs: parts.clock.now() + 10_000 });
    else await store.commit(await planErasure(store, parts.context, 'me', new Set([ann.agent.pid])));
    assert.deepEqual(await store.range(RESULT, { limit: 9 }), [], how);
    assert.equal(await store.blob('me', row.hash), undefined, how);
    assert.equal((await use(ann, 'mezz__read_result', input)).isError, true);
  }
});

test('an answer that is no result of a tool is told so; data alone is shown as text', async () => {
  const { ann, use, box } = await withResult({ nonsense: 7 }, 1000);
  const garbage = await use(ann, 'box__log', {});
  assert.equal(garbage.isError, true);
  assert.match(textOf(garbage), /^box answered, and its answer is no result of a tool/);
  box.result = { structuredContent: { a: 1 } };
  const data = await use(ann, 'box__log', {});
  assert.deepEqual([data.isError, textOf(data)], [undefined, '{"a":1}']);
  box.result = { content: [] };
  assert.deepEqual(await use(ann, 'box__log', {}), { content: [] }, 'nothing to say is a result');
  box.result = { resultType: 'input_required', inputRequests: {} };
  assert.equal((await use(ann, 'box__log', {})).content, undefined, 'a question is left as it is');
});
