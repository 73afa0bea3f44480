import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import { MemoryStore } from './memory/store.ts';
import { table } from './schema/table.ts';
import { openSqliteStore } from './sqlite/store.ts';
import type { EntryRow, Store, Table } from './store.ts';

type ThingRow = { a: number; b: string; c: string | null };
const THING = table<ThingRow>('thing', { a: 'int', b: 'text', c: 'text?' }, ['a', 'b'], [['c']]);
const TABLES = [THING] as unknown as Table[];
const put = (a: number, b: string, c: string | null = null) => ({
  table: THING as unknown as Table,
  row: { a, b, c },
});
const entry = (seq: number, over: Partial<EntryRow> = {}): EntryRow => ({
  log: 0,
  seq,
  agent: 1,
  n: seq,
  call: `c${seq}`,
  kind: 'call.start',
  at: seq,
  body: '{}',
  leaf: new Uint8Array(32),
  ...over,
});
const directories: string[] = [];
const fresh = () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-db-'));
  directories.push(directory);
  return directory;
};
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

const stores: Record<string, () => Promise<{ store: Store; reopen(): Promise<Store> }>> = {
  memory: async () => {
    const store = new MemoryStore();
    return { store, reopen: async () => store.crash() };
  },
  sqlite: async () => {
    const directory = fresh();
    const store = await openSqliteStore({ directory, tables: TABLES });
    return {
      store,
      reopen: async () => {
        await store.close();
        return openSqliteStore({ directory, tables: TABLES });
      },
    };
  },
};

for (const [name, make] of Object.entries(stores)) {
  describe(`store conformance: ${name}`, () => {
    test('rows, entries and blobs of a batch are there together, and after reopening', async () => {
      const { store, reopen } = await make();
      const blob = { hash: 'h1', owner: 'me', at: 1, bytes: new Uint8Array([1, 2, 3]) };
      await store.commit({
        entries: [entry(0), entry(1)],
        puts: [put(1, 'x', 'c1'), put(1, 'y')],
        blobs: [blob],
      });
      await store.commit({
        puts: [put(1, 'x', 'c2')],
        deletes: [{ table: THING as unknown as Table, key: [1, 'y'] }],
        blobs: [{ ...blob, bytes: new Uint8Array([9]) }],
      });
      const again = await reopen();
      assert.deepEqual({ ...(await again.get(THING, [1, 'x'])) }, { a: 1, b: 'x', c: 'c2' });
      assert.equal(await again.get(THING, [1, 'y']), undefined);
      assert.deepEqual([...((await again.blob('me', 'h1')) ?? [])], [1, 2, 3], 'a blob is never overwritten');
      assert.equal(await again.blob('you', 'h1'), undefined);
      assert.deepEqual(
        (await again.entries({ limit: 10 })).map((row) => row.seq),
        [0, 1],
      );
      await again.close();
    });

    test('ranges by key and by index, bounded, both ways', async () => {
      const { store } = await make();
      await store.commit({ puts: [put(2, 'b', 'z'), put(1, 'a', 'z'), put(2, 'a'), put(3, 'c', 'q')] });
      const keys = async (query: Parameters<Store['range']>[1]) =>
        (await store.range(THING, query)).map((row) => `${row.a}${row.b}`);
      assert.deepEqual(await keys({ limit: 9 }), ['1a', '2a', '2b', '3c']);
      assert.deepEqual(await keys({ prefix: [2], limit: 9 }), ['2a', '2b']);
      assert.deepEqual(await keys({ from: 2, to: 3, limit: 2, reverse: true }), ['3c', '2b']);
      assert.deepEqual(await keys({ by: ['c'], prefix: ['z'], limit: 9 }), ['1a', '2b']);
      assert.deepEqual(await keys({ by: ['c'], prefix: [null], limit: 9 }), ['2a']);
      await store.close();
    });

    test('entries by call, agent and seq', async () => {
      const { store } = await make();
      await store.commit({ entries: [entry(0), entry(1, { agent: 2 }), entry(2, { call: 'c0' })] });
      assert.deepEqual(
        (await store.entries({ call: 'c0', limit: 9 })).map((row) => row.seq),
        [0, 2],
      );
      assert.deepEqual(
        (await store.entries({ agent: 2, limit: 9 })).map((row) => row.seq),
        [1],
      );
      assert.deepEqual(
        (await store.entries({ fromSeq: 1, reverse: true, limit: 1 })).map((row) => row.seq),
        [2],
      );
      await store.close();
    });

    test('prune by age, by size and by name', async () => {
      const { store } = await make();
      const blobs = [1, 2, 3, 4].map((at) => ({
        hash: `h${at}`,
        owner: 'me',
        at,
        bytes: new Uint8Array(10),
      }));
      await store.commit({ blobs });
      assert.deepEqual(await store.prune({ beforeMs: 2 }), { blobs: 1, bytes: 10 });
      assert.deepEqual(await store.prune({ keepBytes: 20 }), { blobs: 1, bytes: 10 });
      assert.deepEqual(await store.prune({ owner: 'me', hashes: ['h3'] }), { blobs: 1, bytes: 10 });
      assert.equal((await store.stats()).blobs, 1);
      await store.close();
    });

    test('a closed store refuses', async () => {
      const { store } = await make();
      await store.close();
      await assert.rejects(store.commit({ puts: [put(1, 'a')] }), { name: 'StoreError' });
    });
  });
}

test('concurrent batches share transactions', async () => {
  const { store } = await (stores.sqlite as () => Promise<{ store: Store }>)();
  await Promise.all(Array.from({ length: 500 }, (_, i) => store.commit({ puts: [put(i, 'x')] })));
  const stats = await store.stats();
  assert.equal(stats.batches, 500);
  assert.ok(stats.commits < 50, `${stats.commits} transactions for 500 concurrent batches`);
  await store.close();
});

test('a second kernel on the same directory is refused; the lock dies with its process', async () => {
  const directory = fresh();
  const store = await openSqliteStore({ directory, tables: TABLES });
  const second = () =>
    new Promise<number | null>((resolve) => {
      const source = `import(${JSON.stringify(new URL('./sqlite/store.ts', import.meta.url).href)}).then((m) => m.openSqliteStore({ directory: ${JSON.stringify(directory)}, tables: [] })).then(() => process.kill(process.pid, 'SIGKILL'), (e) => process.exit(e.code === 'locked' ? 5 : 6))`;
      spawn(process.execPath, ['-e', source], { stdio: 'ignore' }).on('exit', resolve);
    });
  assert.equal(await second(), 5);
  await store.close();
  assert.equal(await second(), null, 'opened, then killed by SIGKILL');
  await (await openSqliteStore({ directory, tables: TABLES })).close();
});

test('directory and file are for their owner alone', async () => {
  const directory = fresh();
  const store = await openSqliteStore({ directory, tables: TABLES });
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(join(directory, 'mezz.db')).mode & 0o777, 0o600);
  await store.close();
});

test('an older file gains new tables and nullable columns and keeps its rows', async () => {
  const directory = fresh();
  const old = new DatabaseSync(join(directory, 'mezz.db'));
  old.exec(
    "CREATE TABLE thing(a INTEGER NOT NULL, b TEXT NOT NULL, PRIMARY KEY(a,b)) WITHOUT ROWID; INSERT INTO thing VALUES(1, 'x'); PRAGMA user_version=1",
  );
  old.close();
  const store = await openSqliteStore({ directory, tables: TABLES });
  assert.deepEqual({ ...(await store.get(THING, [1, 'x'])) }, { a: 1, b: 'x', c: null });
  await store.close();
});

test('a newer database and a damaged one are refused with what to do', async () => {
  const newer = fresh();
  const file = new DatabaseSync(join(newer, 'mezz.db'));
  file.exec('PRAGMA user_version=999');
  file.close();
  await assert.rejects(openSqliteStore({ directory: newer, tables: TABLES }), { code: 'newer' });
  const damaged = fresh();
  writeFileSync(join(damaged, 'mezz.db'), Buffer.alloc(8192, 7));
  await assert.rejects(openSqliteStore({ directory: damaged, tables: TABLES }), { code: 'corrupt' });
});

test('a failed commit is final and reported once', async () => {
  let fatal = 0;
  const store = await openSqliteStore({ directory: fresh(), tables: TABLES, onFatal: () => fatal++ });
  await store.commit({ entries: [entry(0)] });
  await assert.rejects(
    store.commit({ entries: [entry(0)] }),
    { name: 'StoreError' },
    'the same seq twice breaks the key',
  );
  await assert.rejects(store.commit({ puts: [put(1, 'a')] }));
  assert.equal(fatal, 1);
  await store.close();
});
