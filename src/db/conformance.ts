/** What every store must do. Each adapter's test calls `conform`; `compareStores` holds two adapters to each other. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sha256Hex } from '../base/hash.ts';
import { table } from './schema/table.ts';
import type { BlobRow, EntryRow, PruneRule, RangeQuery, Store, Table } from './store.ts';

export type ThingRow = { a: number; b: string; c: string | null; d: number | null; e: Uint8Array | null };

export const THING = table<ThingRow>(
  'thing',
  { a: 'int', b: 'text', c: 'text?', d: 'real?', e: 'bytes?' },
  ['a', 'b'],
  [['c'], ['c', 'd']],
);
export const CONFORMANCE_TABLES: readonly Table[] = [THING];

/** A fresh store; `reopen` closes it and opens what it left behind. */
export interface Subject {
  readonly store: Store;
  reopen(): Promise<Store>;
}

export const put = (a: number, b: string, more: Partial<ThingRow> = {}) => ({
  table: THING,
  row: { a, b, c: null, d: null, e: null, ...more },
});

export const entry = (seq: number, more: Partial<EntryRow> = {}): EntryRow => ({
  log: 0,
  seq,
  agent: 1,
  n: seq,
  call: `c${seq}`,
  kind: 'call.start',
  at: seq,
  body: '{}',
  leaf: new Uint8Array(32),
  ...more,
});

export const blob = (text: string, more: Partial<BlobRow> = {}): BlobRow => ({
  hash: sha256Hex(text),
  owner: 'me',
  at: 1,
  bytes: new TextEncoder().encode(text),
  ...more,
});

export function conform(name: string, make: () => Promise<Subject>): void {
  describe(`store conformance: ${name}`, () => {
    conformRows(make);
    conformQueries(make);
    conformBlobs(make);
    conformRetention(make);
    conformSizes(make);
    conformEnd(make);
  });
}

function conformRows(make: () => Promise<Subject>): void {
  test('a batch is there as a whole, and after reopening', async () => {
    const { store, reopen } = await make();
    const full = { c: 'c1', d: 0.5, e: new Uint8Array([0, 255]) };
    await store.commit({ entries: [entry(0), entry(1)], puts: [put(1, 'x', full)], blobs: [blob('one')] });
    const again = await reopen();
    assert.deepEqual({ ...(await again.get(THING, [1, 'x'])) }, { a: 1, b: 'x', ...full });
    const entries = await again.entries({ limit: 10 });
    assert.deepEqual(entries, [entry(0), entry(1)]);
    assert.deepEqual(await again.blob('me', sha256Hex('one')), blob('one').bytes);
    assert.deepEqual(await again.check(), []);
    await again.close();
  });

  test('within a batch deletes come after puts; a put replaces the whole row', async () => {
    const { store } = await make();
    await store.commit({ puts: [put(1, 'x', { c: 'old', d: 1 }), put(1, 'y')] });
    const batch = { puts: [put(1, 'x', { d: 2 })], deletes: [{ table: THING, key: [1, 'y'] }] };
    await store.commit(batch);
    assert.deepEqual({ ...(await store.get(THING, [1, 'x'])) }, put(1, 'x', { d: 2 }).row);
    assert.equal(await store.get(THING, [1, 'y']), undefined);
    await store.close();
  });

  test('batches take effect in the order of the calls', async () => {
    const { store } = await make();
    const done: number[] = [];
    const commits = Array.from({ length: 50 }, (_, i) =>
      store.commit({ entries: [entry(i)], puts: [put(1, 'x', { d: i })] }).then(() => done.push(i)),
    );
    await Promise.all(commits);
    assert.deepEqual(
      done,
      Array.from({ length: 50 }, (_, i) => i),
    );
    assert.equal((await store.get(THING, [1, 'x']))?.d, 49);
    await store.close();
  });

  test('what is read cannot be changed from outside', async () => {
    const { store } = await make();
    await store.commit({ puts: [put(1, 'x', { e: new Uint8Array([1]) })], blobs: [blob('one')] });
    const row = (await store.get(THING, [1, 'x'])) as ThingRow;
    (row.e as Uint8Array)[0] = 9;
    ((await store.blob('me', sha256Hex('one'))) as Uint8Array)[0] = 9;
    assert.deepEqual((await store.get(THING, [1, 'x']))?.e, new Uint8Array([1]));
    assert.deepEqual(await store.blob('me', sha256Hex('one')), blob('one').bytes);
    await store.close();
  });

  test('a row that does not fit its declaration is a bug of the caller and hurts nobody else', async () => {
    const { store } = await make();
    const wrong = (row: object) =>
      store.commit({ puts: [{ table: THING, row: { ...put(1, 'x').row, ...row } }] });
    for (const row of [{ a: 1.5 }, { a: null }, { b: 1 }, { d: Number.NaN }, { e: 'text' }]) {
      await assert.rejects(wrong(row), { name: 'AssertionError' });
    }
    await assert.rejects(store.commit({ deletes: [{ table: THING, key: [1] }] }), { name: 'AssertionError' });
    await store.commit({ puts: [put(1, 'x')] });
    await store.close();
  });
}

function conformQueries(make: () => Promise<Subject>): void {
  test('ranges by key and by index, bounded, both ways', async () => {
    const { store } = await make();
    const z = (d: number | null) => ({ c: 'z', d });
    await store.commit({
      puts: [put(2, 'b', z(1)), put(1, 'a', z(2)), put(2, 'a'), put(3, 'c', { c: 'q' })],
    });
    const keys = async (query: RangeQuery) =>
      (await store.range(THING, query)).map((row) => `${row.a}${row.b}`).join(' ');
    assert.equal(await keys({ limit: 9 }), '1a 2a 2b 3c');
    assert.equal(await keys({ limit: 2 }), '1a 2a');
    assert.equal(await keys({ prefix: [2], limit: 9 }), '2a 2b');
    assert.equal(await keys({ prefix: [2], from: 'aa', limit: 9 }), '2b');
    assert.equal(await keys({ from: 2, to: 3, limit: 2, reverse: true }), '3c 2b');
    assert.equal(await keys({ by: ['c'], prefix: ['z'], limit: 9 }), '1a 2b');
    assert.equal(await keys({ by: ['c'], prefix: [null], limit: 9 }), '2a');
    assert.equal(await keys({ by: ['c'], to: 'z', limit: 9 }), '3c 1a 2b', 'a bound leaves null out');
    assert.equal(await keys({ by: ['c', 'd'], prefix: ['z'], from: 1, reverse: true, limit: 9 }), '1a 2b');
    await assert.rejects(keys({ by: ['d'], limit: 9 }), { name: 'AssertionError' });
    await store.close();
  });

  test('entries by log, seq, agent and call', async () => {
    const { store } = await make();
    const other = entry(0, { log: 1, call: null });
    await store.commit({ entries: [entry(0), other, entry(1, { agent: 2 }), entry(2, { call: 'c0' })] });
    const seqs = async (query: Parameters<Store['entries']>[0]) =>
      (await store.entries(query)).map((row) => `${row.log}/${row.seq}`).join(' ');
    assert.equal(await seqs({ limit: 9 }), '0/0 0/1 0/2 1/0');
    assert.equal(await seqs({ reverse: true, limit: 3 }), '1/0 0/2 0/1');
    assert.equal(await seqs({ call: 'c0', limit: 9 }), '0/0 0/2');
    assert.equal(await seqs({ agent: 2, limit: 9 }), '0/1');
    assert.equal(await seqs({ log: 0, fromSeq: 1, toSeq: 1, limit: 9 }), '0/1');
    await store.close();
  });
}

function conformBlobs(make: () => Promise<Subject>): void {
  test('a blob belongs to its owner and is never overwritten', async () => {
    const { store } = await make();
    await store.commit({ blobs: [blob('one')] });
    await store.commit({ blobs: [blob('one', { bytes: new Uint8Array([9]), at: 9 })] });
    assert.deepEqual(await store.blob('me', sha256Hex('one')), blob('one').bytes);
    assert.equal(await store.blob('you', sha256Hex('one')), undefined);
    assert.equal((await store.stats()).blobs, 1);
    await store.close();
  });

  test('a blob whose bytes do not have its hash is found', async () => {
    const { store } = await make();
    await store.commit({ blobs: [blob('one', { bytes: new Uint8Array([9]) })] });
    assert.equal((await store.check()).length, 1);
    await store.close();
  });
}

function conformRetention(make: () => Promise<Subject>): void {
  test('prune by age, by size and by owner; a dry run says the same and removes nothing', async () => {
    const { store } = await make();
    const blobs = [1, 2, 3, 4].map((at) => blob(`blob ${at}....`, { at }));
    await store.commit({ blobs: [...blobs, blob('yours', { owner: 'you' })] });
    const prune = async (rule: PruneRule) => {
      const before = await store.stats();
      const foreseen = await store.prune({ ...rule, dryRun: true });
      assert.deepEqual(await store.stats(), before, 'a dry run removes nothing');
      assert.deepEqual(await store.prune(rule), foreseen);
      return foreseen;
    };
    assert.deepEqual(await prune({}), { blobs: 0, bytes: 0, newestAt: null });
    assert.deepEqual(await prune({ beforeMs: 2, owner: 'me' }), { blobs: 1, bytes: 10, newestAt: 1 });
    assert.deepEqual(await prune({ beforeMs: 2, keepBytes: 10, owner: 'me' }), {
      blobs: 2,
      bytes: 20,
      newestAt: 3,
    });
    assert.deepEqual(await store.blob('me', (blobs[3] as BlobRow).hash), (blobs[3] as BlobRow).bytes);
    const yours = await store.prune({ owner: 'you' });
    assert.deepEqual([yours.blobs, yours.bytes], [1, 5]);
    const { entries, blobs: left, blobBytes } = await store.stats();
    assert.deepEqual({ entries, left, blobBytes }, { entries: 0, left: 1, blobBytes: 10 });
    await store.close();
  });

  test('a batch erases bodies by name and drops the front of one log, with everything else in it', async () => {
    const { store, reopen } = await make();
    await store.commit({
      entries: [entry(0), entry(1), entry(2), entry(0, { log: 1 })],
      blobs: [blob('one'), blob('two'), blob('one', { owner: 'you' })],
    });
    const erases = [
      { owner: 'me', hash: sha256Hex('one') },
      { owner: 'me', hash: sha256Hex('never there') },
    ];
    await store.commit({ entries: [entry(3)], puts: [put(1, 'x')], erases, drop: { log: 0, beforeSeq: 2 } });
    await store.scrub();
    const again = await reopen();
    const seqs = (await again.entries({ limit: 9 })).map(({ log, seq }) => `${log}/${seq}`);
    assert.deepEqual(seqs, ['0/2', '0/3', '1/0']);
    assert.equal(await again.blob('me', sha256Hex('one')), undefined);
    assert.ok(await again.blob('me', sha256Hex('two')));
    assert.ok(await again.blob('you', sha256Hex('one')));
    assert.ok(await again.get(THING, [1, 'x']));
    await again.close();
  });
}

function conformSizes(make: () => Promise<Subject>): void {
  test('sizes name what takes the room', async () => {
    const { store } = await make();
    await store.commit({
      entries: [entry(0), entry(1), entry(2, { agent: 9 })],
      puts: [put(12, 'xyz')],
      blobs: [blob('four'), blob('six---', { owner: 'you' })],
    });
    const { tables, entries, bodies } = await store.sizes();
    const thing = tables.find(({ name }) => name === THING.name);
    assert.deepEqual([thing?.rows, thing?.bytes], [1, 5]);
    assert.deepEqual(
      entries.map(({ agent, rows }) => [agent, rows]),
      [
        [1, 2],
        [9, 1],
      ],
    );
    assert.ok(entries.every(({ bytes }) => bytes > 32));
    assert.deepEqual(
      bodies.map((body) => ({ ...body })),
      [
        { owner: 'me', rows: 1, bytes: 4 },
        { owner: 'you', rows: 1, bytes: 6 },
      ],
    );
    await store.close();
  });
}

function conformEnd(make: () => Promise<Subject>): void {
  test('close writes what was handed over before and refuses what comes after', async () => {
    const { store, reopen } = await make();
    const before = store.commit({ puts: [put(1, 'before')] });
    const again = reopen();
    await assert.rejects(store.commit({ puts: [put(1, 'after')] }), { name: 'StoreError' });
    await before;
    assert.equal((await (await again).range(THING, { limit: 9 })).length, 1);
    await (await again).close();
    await (await again).close();
    await assert.rejects(store.get(THING, [1, 'before']), { name: 'StoreError' });
  });

  test('a failed batch leaves no trace, and every later one fails too', async () => {
    const { store, reopen } = await make();
    await store.commit({ entries: [entry(0)] });
    await assert.rejects(store.commit({ puts: [put(1, 'x')], entries: [entry(1), entry(0)] }), {
      name: 'StoreError',
    });
    await assert.rejects(store.commit({ puts: [put(2, 'x')] }), { name: 'StoreError' });
    const again = await reopen();
    assert.equal((await again.entries({ limit: 9 })).length, 1);
    assert.deepEqual(await again.range(THING, { limit: 9 }), []);
    await again.close();
  });
}
