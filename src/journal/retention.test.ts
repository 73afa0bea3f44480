import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../base/clock.ts';
import { sha256Hex } from '../base/hash.ts';
import { newCallId } from '../base/ids.ts';
import { seededRandom } from '../base/random.ts';
import { NO_USAGE } from '../base/usage.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { CALL, MESSAGE, REQUEST, TILE } from '../db/schema/journal.ts';
import type { Row, Store, Table } from '../db/store.ts';
import { verifyAudit } from './audit.ts';
import { applyEntry, callPut, endEntry, startEntry } from './calls.ts';
import { ContextStore } from './context.ts';
import { type Journal, openJournal } from './journal.ts';
import { type RetentionRule, retire } from './retention.ts';
import { treeAt } from './tree.ts';

const DAY = 86_400_000;

/** A journal of calls, one a day, each with START and END. */
class Diary {
  readonly clock = new VirtualClock(DAY);
  readonly random = seededRandom(1);
  readonly context = new ContextStore();
  store: Store = new MemoryStore();
  journal!: Journal;
  readonly roots = new Map<number, string>();

  async open(): Promise<this> {
    this.journal = await openJournal({ store: this.store, clock: this.clock });
    return this;
  }
  async call(): Promise<string> {
    const now = this.clock.now();
    const id = newCallId(now, this.random);
    const start = startEntry(now, { ...START, call: id, arrivedAt: now });
    const end = endEntry(now, { ...END, call: id });
    const row = applyEntry(applyEntry(undefined, start), end);
    assert.ok(row);
    const puts = [
      callPut(row),
      put(REQUEST, { call: id, owner: 'me', head: '', envelope: 'e', parts: '[]', asked: null }),
    ];
    this.roots.set(this.journal.size, this.journal.root().toString('hex'));
    await this.journal.append({ entries: [start, end], puts });
    this.clock.advanceTo(now + DAY);
    return id;
  }
  async calls(count: number): Promise<string[]> {
    const ids = [];
    for (let i = 0; i < count; i++) ids.push(await this.call());
    return ids;
  }
  retire(rule: RetentionRule) {
    return retire(this, rule);
  }
}

const put = <R extends Row>(table: Table<R>, row: R) => ({ table: table as unknown as Table, row });
const START = {
  agent: 1,
  owner: 'me',
  kind: 'model.generate',
  target: 'm',
  key: 'k',
  turn: null,
  attempt: 1,
  backend: 'b',
  model: 'm',
  account: null,
  above: [],
  hosted: [],
  toolUseId: null,
  rules: [],
  approval: null,
  reservedUsd: 0,
  reservedTokens: 0,
  reservedOutput: 0,
  args: 'x',
  head: null,
  labels: [],
  transforms: [],
  losses: [],
  continues: null,
};
const END = {
  agent: 1,
  code: 'ok' as const,
  status: 200,
  usage: NO_USAGE,
  cost: 0,
  stop: '',
  answer: null,
  bytesOut: 0,
  intents: 0,
  firstByteMs: null,
  waitedMs: 0,
};
const verify = async (store: Store, known?: { size: number; root: string }) =>
  (await verifyAudit(store, known ? { known } : {})).findings.map(({ code, seq }) => `${code} ${seq}`);

test('entries go from the front in whole tiles; what is left is proven, at every size there ever was', async () => {
  const diary = await new Diary().open();
  const ids = await diary.calls(800);
  const before = await verifyAudit(diary.store);
  // 1,600 entries, two a day: those of the first 500 days are 1,000, three whole tiles.
  const rule = { entriesBeforeMs: 501 * DAY };
  const foreseen = await diary.retire({ ...rule, dryRun: true });
  assert.deepEqual(foreseen, { blobs: 0, bytes: 0, entries: 768, calls: 384 });
  assert.deepEqual(await verifyAudit(diary.store), before, 'a dry run changes nothing');
  assert.deepEqual(await diary.retire(rule), foreseen);
  const [first] = await diary.store.entries({ log: 0, limit: 1 });
  assert.equal(first?.seq, 768);
  const gone = await Promise.all(ids.map((id) => diary.store.get(CALL, [id])));
  assert.deepEqual([gone.slice(0, 384).some(Boolean), gone.slice(384).every(Boolean)], [false, true]);
  const report = await verifyAudit(diary.store);
  assert.deepEqual([report.findings, report.pruned, report.size], [[], 768, 1602]);
  for (const size of [0, 2, 256, 510, 766, 768, 770, 1024, 1598]) {
    const root = diary.roots.get(size) ?? '';
    assert.deepEqual(await verify(diary.store, { size, root }), [], `the checkpoint of ${size} still holds`);
    const forged = { size, root: root.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) };
    if (size > 0)
      assert.equal((await verify(diary.store, forged)).length, 1, `a forged one of ${size} does not`);
  }
  assert.deepEqual(
    await diary.retire(rule),
    { blobs: 0, bytes: 0, entries: 0, calls: 0 },
    'nothing goes twice',
  );
  const root = diary.journal.root();
  await diary.open();
  assert.deepEqual(diary.journal.root(), root, 'a journal without its front goes on with the same root');
  await diary.call();
  assert.deepEqual(await verify(diary.store), []);
});

test('a front that nothing announced, a changed tile below it and a later change are found', async () => {
  const grow = async (work: (diary: Diary) => Promise<unknown>) => {
    const diary = await new Diary().open();
    await diary.calls(400);
    await work(diary);
    return verify(diary.store);
  };
  const rule = { entriesBeforeMs: 300 * DAY };
  const cut = await grow((diary) => diary.store.commit({ drop: { log: 0, beforeSeq: 256 } }));
  assert.deepEqual(cut, ['prune 256']);
  const more = await grow(async (diary) => {
    await diary.retire(rule);
    await diary.store.commit({ drop: { log: 0, beforeSeq: 600 } });
  });
  assert.ok(more.includes('prune 600'), String(more));
  const tile = await grow(async (diary) => {
    await diary.retire(rule);
    const row = { log: 0, level: 0, tile: 0, hashes: new Uint8Array(8192) };
    await diary.store.commit({ puts: [put(TILE, row)] });
  });
  assert.ok(
    tile.some((finding) => finding.startsWith('checkpoint')) && tile.includes('prune 512'),
    String(tile),
  );
  const missing = await grow(async (diary) => {
    await diary.retire(rule);
    await diary.store.commit({ deletes: [{ table: TILE, key: [0, 0, 0] }] });
  });
  assert.deepEqual(missing, ['tile 512']);
});

test('the tree of any size comes from tiles and what is left of the entries', async () => {
  const diary = await new Diary().open();
  await diary.calls(300);
  for (const size of [0, 1, 255, 256, 257, 512, 599, 600])
    assert.equal((await treeAt(diary.store, size))?.size, size);
  assert.deepEqual((await treeAt(diary.store, 600))?.root(), diary.journal.root());
});

test('bodies take the rows that name them along, and what comes afterwards is stored again', async () => {
  const diary = await new Diary().open();
  const body = Buffer.from('[{"role":"user"}]');
  const facts = { messages: [{ start: 1, end: body.length - 1 }] } as never;
  const links = [{ exact: 'e1', canonical: 'c1', blob: sha256Hex(body.subarray(1, -1)) }];
  const store = async () => {
    const now = diary.clock.now();
    const { puts, blobs } = diary.context.store(
      { call: newCallId(now, diary.random), owner: 'me', asked: null },
      body,
      facts,
      links,
      now,
    );
    await diary.store.commit({ puts, blobs });
    return blobs.length;
  };
  const count = async () => [
    (await diary.store.stats()).blobs,
    (await diary.store.range(MESSAGE, { limit: 9 })).length,
    (await diary.store.range(REQUEST, { limit: 9 })).length,
  ];
  assert.deepEqual([await store(), await store()], [2, 0], 'the same body is written once');
  diary.clock.advanceTo(40 * DAY);
  assert.deepEqual(await count(), [2, 1, 2]);
  const gone = await diary.retire({ bodiesBeforeMs: 10 * DAY });
  assert.deepEqual([gone.blobs, await count()], [2, [0, 0, 0]]);
  assert.deepEqual([await store(), await count()], [2, [2, 1, 1]]);
  assert.equal((await diary.retire({ keepBytes: 1 })).blobs, 2);
  assert.deepEqual(await count(), [0, 0, 0]);
  assert.deepEqual(await verify(diary.store), []);
});
