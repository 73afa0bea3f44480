import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { sha256Hex } from '../base/hash.ts';
import {
  blob,
  conform,
  entry,
  put,
  CONFORMANCE_TABLES as TABLES,
  THING,
  type ThingRow,
} from './conformance.ts';
import { MemoryStore } from './memory/store.ts';
import { TABLES as KERNEL_TABLES } from './schema/index.ts';
import { restoreBackup } from './sqlite/backup.ts';
import { migrate } from './sqlite/migrations.ts';
import { assertVersion } from './sqlite/open.ts';
import { openSqliteStore } from './sqlite/store.ts';
import type { RangeQuery, Store, Table } from './store.ts';

const directories: string[] = [];
const fresh = () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-db-'));
  directories.push(directory);
  return directory;
};
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});
const open = (directory = fresh()) => openSqliteStore({ directory, tables: TABLES });

conform('memory', async () => {
  const store = new MemoryStore();
  const reopen = async () => {
    await store.close();
    return new MemoryStore({}, store.snapshot());
  };
  return { store, reopen };
});
conform('sqlite', async () => {
  const directory = fresh();
  const store = await open(directory);
  const reopen = async () => {
    await store.close();
    return open(directory);
  };
  return { store, reopen };
});

const value = {
  a: fc.integer({ min: -3, max: 3 }),
  b: fc.constantFrom('', 'a', 'B', '\u00e9', '\ud83d\ude00', '\uffee', 'ab'),
  c: fc.option(fc.constantFrom('x', 'y', 'X', '\ufb03', '\ud83d\ude00')),
  d: fc.option(fc.constantFrom(-1.5, 0, 2, 1e300)),
  e: fc.option(fc.uint8Array({ maxLength: 3 })),
};
const batches = fc.array(
  fc.record({
    puts: fc.array(fc.record(value), { maxLength: 6 }),
    deletes: fc.array(fc.tuple(value.a, value.b), { maxLength: 2 }),
  }),
  { maxLength: 5 },
);
const bounds = (bound: fc.Arbitrary<string | number | null>) => ({
  from: fc.option(bound, { nil: undefined }),
  to: fc.option(bound, { nil: undefined }),
  reverse: fc.boolean(),
  limit: fc.integer({ min: 0, max: 8 }),
});
const range = fc.oneof(
  fc.record(bounds(value.a)),
  fc.record({ prefix: fc.tuple(value.a), ...bounds(value.b) }),
  fc.record({ by: fc.constant(['c']), ...bounds(value.c) }),
  fc.record({ by: fc.constant(['c', 'd']), prefix: fc.tuple(value.c), ...bounds(value.d) }),
) as fc.Arbitrary<RangeQuery>;

test('memory and sqlite give the same answers to random work', async () => {
  const sqlite = await open();
  const memory = new MemoryStore();
  const both = [sqlite, memory];
  await fc.assert(
    fc.asyncProperty(batches, fc.array(range, { minLength: 1, maxLength: 6 }), async (work, queries) => {
      // Not awaited one by one: in SQLite they share transactions, in which a row may be written and deleted again.
      await Promise.all(
        work.flatMap(({ puts, deletes }) => {
          const batch = {
            puts: puts.map((row) => ({ table: THING, row: row as ThingRow })),
            deletes: deletes.map((key) => ({ table: THING, key })),
          };
          return both.map((store) => store.commit(batch));
        }),
      );
      for (const query of queries) {
        const [left, right] = await Promise.all(both.map((store) => store.range(THING, query)));
        assert.deepEqual(left, right);
      }
    }),
    { numRuns: 150, seed: 20261124 },
  );
  await sqlite.close();
});

test('a crash in memory loses what was not committed and nothing else', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  let commits = 0;
  const store = new MemoryStore({ beforeCommit: () => (++commits === 2 ? held : Promise.resolve()) });
  await store.commit({ puts: [put(1, 'kept')] });
  const lost = assert.rejects(store.commit({ puts: [put(2, 'lost')] }), { message: 'crashed' });
  const next = store.crash();
  release();
  await lost;
  assert.deepEqual(
    (await next.range(THING, { limit: 9 })).map((row) => row.b),
    ['kept'],
  );
});

test('the tables of the kernel make a database', async () => {
  const directory = fresh();
  const store = await openSqliteStore({ directory, tables: KERNEL_TABLES });
  for (const table of KERNEL_TABLES) assert.deepEqual(await store.range(table, { limit: 1 }), []);
  await store.close();
  await (await openSqliteStore({ directory, tables: KERNEL_TABLES })).close();
});

test('a backup is whole, private, never overwrites, and can be put back', async () => {
  const directory = fresh();
  const path = join(fresh(), 'copy.db');
  const store = await open(directory);
  await store.commit({ puts: [put(1, 'before')], blobs: [blob('one')] });
  await store.backup(path);
  await store.commit({ puts: [put(2, 'after')] });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await assert.rejects(store.backup(path), { name: 'StoreError', code: 'failed' });
  assert.ok(!existsSync(`${path}.part`));
  assert.throws(() => restoreBackup(path, directory), { code: 'locked' });
  await store.close();

  const { aside } = restoreBackup(path, directory);
  const restored = await open(directory);
  assert.deepEqual(
    (await restored.range(THING, { limit: 9 })).map((row) => row.b),
    ['before'],
  );
  assert.deepEqual(await restored.check(), []);
  await restored.close();
  const present = await open(aside as string);
  assert.equal((await present.range(THING, { limit: 9 })).length, 2, 'the replaced database is kept whole');
  await present.close();
});

test('a damaged, foreign or missing backup is refused and changes nothing', async () => {
  const directory = fresh();
  const store = await open(directory);
  await store.commit({ puts: [put(1, 'x')] });
  await store.close();
  const before = readFileSync(join(directory, 'mezz.db'));
  const damaged = join(fresh(), 'damaged.db');
  writeFileSync(damaged, Buffer.alloc(8192, 7));
  const foreign = join(fresh(), 'foreign.db');
  new DatabaseSync(foreign).exec('CREATE TABLE t(x)');
  assert.throws(() => restoreBackup(damaged, directory), { code: 'corrupt' });
  assert.throws(() => restoreBackup(foreign, directory), { code: 'corrupt' });
  assert.throws(() => restoreBackup(join(directory, 'none.db'), directory), { code: 'failed' });
  assert.deepEqual(readFileSync(join(directory, 'mezz.db')), before);
});

/** The files of a directory as `kill -9` leaves them now: nothing waits for them, nothing is closed. */
function crashed(directory: string): string {
  const copy = fresh();
  for (const name of ['mezz.db', 'mezz.db-wal', 'mezz.redo']) cpSync(join(directory, name), join(copy, name));
  return copy;
}
const things = async (directory: string) => {
  const store = await open(directory);
  const rows = await store.range(THING, { limit: 100_000 });
  assert.deepEqual(await store.check(), []);
  await store.close();
  return rows.map(({ a }) => a);
};
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

test('what is acknowledged and not in the database yet is there after a crash, once and in order', async () => {
  const directory = fresh();
  const store = await open(directory);
  for (const a of numbers(20)) await store.commit({ entries: [entry(a)], puts: [put(a, 'x'), put(99, 'y')] });
  const copies = [crashed(directory), crashed(directory)];
  await store.commit({ deletes: [{ table: THING, key: [99, 'y'] }], puts: [put(20, 'x')] });
  const later = crashed(directory);
  await store.close();
  assert.deepEqual(await things(copies[0] as string), [...numbers(20), 99]);
  assert.deepEqual(await things(copies[0] as string), [...numbers(20), 99], 'opened again');
  assert.deepEqual(await things(later), numbers(21));
  const db = new DatabaseSync(join(copies[1] as string, 'mezz.db'));
  assert.equal(db.prepare('SELECT count(*) AS n FROM entry').get()?.n, 0, 'it was in the log alone');
  db.close();
});

test('what an older mezz left in the log alone is read in the shape that its tables had', async () => {
  const directory = fresh();
  const { columns } = THING;
  // In another order, with a column that is gone since and without one that is new.
  const older = {
    ...THING,
    columns: [{ name: 'gone', type: 'text', nullable: true }, ...columns.slice(0, 4).reverse()],
    indexes: [],
  } satisfies Table;
  const store = await openSqliteStore({ directory, tables: [older] });
  for (const a of numbers(5))
    await store.commit({ puts: [{ table: older, row: { a, b: 'x', c: 'c', d: 0.5, gone: 'g' } }] });
  const copy = crashed(directory);
  await store.close();
  for (const time of ['first', 'second']) {
    const newer = await open(copy);
    const rows = await newer.range(THING, { limit: 9 });
    const there = rows.map(({ a, b, c, d, e }) => ({ a, b, c, d, e }));
    assert.deepEqual(
      there,
      numbers(5).map((a) => put(a, 'x', { c: 'c', d: 0.5 }).row),
      time,
    );
    await newer.close();
  }
});

test('a record that is torn ends the log: all before it is there', async () => {
  const directory = fresh();
  const store = await open(directory);
  for (const a of numbers(9)) await store.commit({ puts: [put(a, 'x')] });
  const copy = crashed(directory);
  await store.close();
  const log = readFileSync(join(copy, 'mezz.redo'));
  const last = log.findLastIndex((byte) => byte !== 0);
  log[last - 3] = (log[last - 3] as number) ^ 1;
  writeFileSync(join(copy, 'mezz.redo'), log);
  assert.deepEqual(await things(copy), numbers(8));
});

test('the log is filled many times over, and a batch that no half has room for goes its own way', async () => {
  const directory = fresh();
  const store = await open(directory);
  const large = { owner: 'me', hash: sha256Hex('large'), at: 1, bytes: Buffer.alloc(3_000_000, 'a') };
  const work = numbers(600).map((a) => {
    const bytes = Buffer.alloc(10_000, `${a} `);
    const blobs = [{ owner: 'me', hash: sha256Hex(bytes), at: 1, bytes }, ...(a % 200 === 99 ? [large] : [])];
    return store.commit({ entries: [entry(a)], puts: [put(a, 'x'), put(-1, String(a))], blobs });
  });
  await Promise.all(work);
  const copy = crashed(directory);
  await store.close();
  const after = await open(copy);
  assert.equal((await after.entries({ limit: 1000 })).length, 600);
  assert.equal((await after.range(THING, { prefix: [-1], limit: 1000 })).length, 600);
  assert.deepEqual(Buffer.from((await after.blob('me', large.hash)) as Uint8Array), large.bytes);
  assert.equal((await after.stats()).blobs, 601);
  await after.close();
});

test('what cannot be put into the database ends the store, and is there when it can be', async () => {
  const directory = fresh();
  let fatal = 0;
  const store = await openSqliteStore({ directory, tables: TABLES, onFatal: () => fatal++ });
  await store.commit({ puts: [put(1, 'x')] });
  const other = new DatabaseSync(join(directory, 'mezz.db'));
  // The writer waits for the lock while more is acknowledged, which goes to it behind what will fail.
  other.exec(
    "BEGIN IMMEDIATE; CREATE TRIGGER no BEFORE INSERT ON thing BEGIN SELECT RAISE(ABORT, 'no'); END",
  );
  const things = assert.rejects(store.range(THING, { limit: 9 }), { name: 'StoreError' });
  await store.commit({ entries: [entry(0)] });
  const entries = assert.rejects(store.entries({ limit: 9 }), { name: 'StoreError' });
  other.exec('COMMIT');
  await entries;
  await things;
  assert.equal(fatal, 1);
  await store.close();
  const left = other.prepare('SELECT (SELECT count(*) FROM entry) AS entries, applied FROM redo').get();
  assert.deepEqual({ ...left }, { entries: 0, applied: 0 });
  other.exec('DROP TRIGGER no');
  other.close();
  const again = await open(directory);
  assert.equal((await again.range(THING, { limit: 9 })).length, 1);
  assert.deepEqual(await again.entries({ limit: 9 }), [entry(0)]);
  await again.close();
});

test('scrub leaves nothing of what was erased in any file', async () => {
  const directory = fresh();
  const store = await open(directory);
  const bytes = Buffer.from('a canary in the redo log');
  await store.commit({ blobs: [{ owner: 'me', hash: sha256Hex(bytes), at: 1, bytes }], puts: [put(1, 'x')] });
  assert.ok(readFileSync(join(directory, 'mezz.redo')).includes(bytes));
  await store.commit({ erases: [{ owner: 'me', hash: sha256Hex(bytes) }] });
  await store.scrub();
  for (const name of ['mezz.db', 'mezz.db-wal', 'mezz.redo'])
    assert.ok(!readFileSync(join(directory, name)).includes(bytes), name);
  await store.commit({ puts: [put(2, 'x')] });
  const copy = crashed(directory);
  await store.close();
  assert.deepEqual(await things(copy), [1, 2]);
});

test('the redo log of the replaced database is not replayed into the restored one, and goes with the old', async () => {
  const directory = fresh();
  const path = join(fresh(), 'copy.db');
  const store = await open(directory);
  await store.commit({ puts: [put(1, 'x')] });
  await store.backup(path);
  await store.commit({ puts: [put(2, 'x')] });
  const copy = crashed(directory);
  await store.close();
  const { aside } = restoreBackup(path, copy);
  assert.deepEqual(await things(copy), [1]);
  restoreBackup(join(aside as string, 'mezz.db'), copy);
  assert.deepEqual(await things(copy), [1, 2], 'with its log, it is put back');
});

test('the log of the replaced database is not replayed into the restored one', async () => {
  const directory = fresh();
  const path = join(fresh(), 'copy.db');
  const store = await open(directory);
  await store.backup(path);
  await store.close();
  const killed = new DatabaseSync(join(directory, 'mezz.db'));
  killed.exec("PRAGMA journal_mode=WAL; INSERT INTO thing(a, b) VALUES(7, 'in the log')");
  const left = ['mezz.db', 'mezz.db-wal'].map((name) => [name, readFileSync(join(directory, name))] as const);
  killed.close();
  for (const [name, bytes] of left) writeFileSync(join(directory, name), bytes);
  const { aside } = restoreBackup(path, directory);
  assert.ok(existsSync(join(aside as string, 'mezz.db-wal')));
  const restored = await open(directory);
  assert.deepEqual(await restored.range(THING, { limit: 9 }), []);
  await restored.close();
  restoreBackup(join(aside as string, 'mezz.db'), directory);
  const back = await open(directory);
  const rows = (await back.range(THING, { limit: 9 })).map(({ a, b }) => [a, b]);
  assert.deepEqual(rows, [[7, 'in the log']], 'with its log, it is put back');
  await back.close();
});

test('versions of SQLite are compared as numbers', () => {
  for (const old of ['3.51.2', '3.9.9', '2.99.99']) {
    assert.throws(() => assertVersion(old), { code: 'sqlite_too_old' });
  }
  for (const good of ['3.51.3', '3.53.0', '4.0.0']) assertVersion(good);
});

test('numbered steps run once, in order, and all or nothing', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, TABLES, []);
  db.exec("INSERT INTO thing(a, b, c) VALUES(1, 'x', 'old')");
  const ran: string[] = [];
  const step = (name: string) => (file: DatabaseSync) => {
    ran.push(name);
    file.exec(`UPDATE thing SET c='${name}'`);
  };
  migrate(db, TABLES, [step('one')]);
  migrate(db, TABLES, [step('one'), step('two')]);
  assert.deepEqual(ran, ['one', 'two']);
  const fail = () => assert.fail('a step fails');
  assert.throws(() => migrate(db, TABLES, [step('one'), step('two'), step('three'), fail]));
  const left = db.prepare('SELECT c FROM thing').get() as { c: string };
  assert.equal(left.c, 'two');
  assert.throws(() => migrate(db, TABLES, [step('one')]), { code: 'newer' });
});

test('version 2: what was used in a day and a month becomes what was used before it', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db, KERNEL_TABLES, []);
  db.exec('DROP TABLE redo');
  const add = db.prepare('INSERT INTO balance VALUES(?,?,?,?,?,?,?,?,?,?)');
  const rows = [
    ['day', 1, 'owner:me', 3],
    ['day', 2, 'owner:me', 2],
    ['day', 2, 'agent:1', 5],
    ['month', 1, 'owner:me', 6],
    ['total', 0, 'agent:1', 5],
    ['total', 0, 'owner:me', 9],
  ] as const;
  for (const [period, start, scope, n] of rows) add.run(period, start, scope, n, n, n, n, n, n, n * 10);
  migrate(db, KERNEL_TABLES);
  const after = db.prepare('SELECT period, start, scope, requests, cacheWrite, cost FROM balance').all();
  assert.deepEqual(
    after.map((row) => Object.values(row)),
    [
      ['day', 2, 'agent:1', 0, 0, 0],
      ['day', 2, 'owner:me', 7, 7, 70],
      ['month', 1, 'owner:me', 3, 3, 30],
      ['total', 0, 'agent:1', 5, 5, 50],
      ['total', 0, 'owner:me', 9, 9, 90],
    ],
  );
});

test('a change that cannot be derived asks for a step', () => {
  const base = THING as Table;
  const changes: Table[] = [
    { ...base, columns: [...base.columns, { name: 'f', type: 'int' }] },
    {
      ...base,
      columns: base.columns.map((column) => (column.name === 'c' ? { name: 'c', type: 'int' } : column)),
    },
    { ...base, columns: base.columns.filter((column) => column.name !== 'b'), key: ['a'] },
    { ...base, key: ['b', 'a'] },
  ];
  for (const changed of changes) {
    const db = new DatabaseSync(':memory:');
    migrate(db, TABLES);
    assert.throws(() => migrate(db, [changed]), { code: 'failed', message: /^thing: / });
  }
});

test('concurrent batches share transactions', async () => {
  const store: Store = await open();
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
  await assert.rejects(open(directory), { code: 'locked', message: new RegExp(`pid ${process.pid}`) });
  assert.equal(await second(), 5, 'also after an attempt from this process');
  await store.close();
  assert.equal(await second(), null, 'opened, then killed by SIGKILL');
  await (await openSqliteStore({ directory, tables: TABLES })).close();
});

test('directory and file are for their owner alone', async () => {
  const directory = join(fresh(), 'new', 'state');
  const store = await open(directory);
  await store.commit({ puts: [put(1, 'x')] });
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  for (const name of ['mezz.db', 'mezz.db-wal', 'mezz.redo', 'lock.db', 'lock.pid']) {
    assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name);
  }
  await store.close();
});

test('an older file gains new tables and nullable columns and keeps its rows', async () => {
  const directory = fresh();
  const old = new DatabaseSync(join(directory, 'mezz.db'));
  old.exec(
    `CREATE TABLE thing(a INTEGER NOT NULL, b TEXT NOT NULL, PRIMARY KEY(a,b)) WITHOUT ROWID;
    CREATE TABLE entry(log INTEGER NOT NULL, seq INTEGER NOT NULL, agent INTEGER NOT NULL, n INTEGER NOT NULL,
      call TEXT, kind TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, leaf BLOB NOT NULL, PRIMARY KEY(log, seq)) WITHOUT ROWID;
    INSERT INTO thing VALUES(1, 'x'); INSERT INTO entry VALUES(0, 0, 1, 0, 'c0', 'call.start', 0, '{}', zeroblob(32));
    PRAGMA user_version=1`,
  );
  old.close();
  const store = await openSqliteStore({ directory, tables: TABLES });
  assert.deepEqual({ ...(await store.get(THING, [1, 'x'])) }, put(1, 'x').row);
  assert.deepEqual(await store.entries({ limit: 9 }), [entry(0)]);
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
