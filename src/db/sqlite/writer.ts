/** The one writer: a worker thread that turns each message (a list of batches) into one durable transaction. */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { type Batch, StoreError, type Table, type Value } from '../store.ts';
import { migrate } from './ddl.ts';
import { storeError, toData } from './failure.ts';

const { directory, tables } = workerData as { directory: string; tables: readonly Table[] };
const port = parentPort;
assert(port, 'the writer runs as a worker');

/** Before 3.51.3 two connections on one WAL could corrupt it (sqlite.org, 2026-03-13). */
const OLDEST_SQLITE = [3, 51, 3];

function open(): DatabaseSync {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  holdLock();
  const file = join(directory, 'mezz.db');
  const db = new DatabaseSync(file);
  chmodSync(file, 0o600);
  const version = (db.prepare('SELECT sqlite_version() AS v').get() as { v: string }).v;
  const parts = version.split('.').map(Number);
  const older = OLDEST_SQLITE.findIndex((part, i) => (parts[i] ?? 0) !== part);
  if (older !== -1 && (parts[older] ?? 0) < (OLDEST_SQLITE[older] as number)) {
    throw new StoreError(
      'sqlite_too_old',
      `SQLite ${version} is older than 3.51.3`,
      'run mezz on Node >= 24.14',
    );
  }
  db.exec(
    'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA fullfsync=1; PRAGMA checkpoint_fullfsync=1',
  );
  migrate(db, tables);
  return db;
}

/** An exclusive transaction on a file of its own: an OS lock that dies with the process. */
let lock: DatabaseSync | undefined;
function holdLock(): void {
  lock = new DatabaseSync(join(directory, 'lock.db'));
  try {
    lock.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    const failure = storeError(error);
    if (failure.code !== 'locked') throw failure;
    throw new StoreError(
      'locked',
      `another kernel runs on ${directory}`,
      'mezz status shows it; mezz down ends it; MEZZ_HOME chooses another directory',
    );
  }
}

let db: DatabaseSync;
const statements = new Map<string, StatementSync>();
function statement(sql: string): StatementSync {
  let prepared = statements.get(sql);
  if (!prepared) {
    prepared = db.prepare(sql);
    statements.set(sql, prepared);
  }
  return prepared;
}

const putSql = new Map<string, string>();
function putStatement(table: Table): StatementSync {
  let sql = putSql.get(table.name);
  if (!sql) {
    const names = table.columns.map((column) => `"${column.name}"`);
    sql = `INSERT OR REPLACE INTO "${table.name}"(${names.join(',')}) VALUES(${names.map(() => '?').join(',')})`;
    putSql.set(table.name, sql);
  }
  return statement(sql);
}

function write(batch: WireBatch): void {
  for (const entry of batch.entries ?? []) {
    statement('INSERT INTO entry(log,seq,agent,n,call,kind,at,body,leaf) VALUES(?,?,?,?,?,?,?,?,?)').run(
      entry.log,
      entry.seq,
      entry.agent,
      entry.n,
      entry.call,
      entry.kind,
      entry.at,
      entry.body,
      entry.leaf,
    );
  }
  for (const [name, values] of batch.puts) putStatement(tableNamed(name)).run(...values);
  for (const [name, key] of batch.deletes) {
    const where = tableNamed(name)
      .key.map((column) => `"${column}"=?`)
      .join(' AND ');
    statement(`DELETE FROM "${name}" WHERE ${where}`).run(...key);
  }
  for (const blob of batch.blobs ?? []) {
    statement('INSERT OR IGNORE INTO blob(owner,hash,at,bytes) VALUES(?,?,?,?)').run(
      blob.owner,
      blob.hash,
      blob.at,
      blob.bytes,
    );
  }
}

const byName = new Map(tables.map((table) => [table.name, table]));
function tableNamed(name: string): Table {
  const table = byName.get(name);
  assert(table, `table ${name} is not declared in db/schema`);
  return table;
}

/** A batch as it crosses to the worker: rows as value lists in the order of the table's columns. */
export type WireBatch = Pick<Batch, 'entries' | 'blobs'> & {
  readonly puts: readonly (readonly [string, readonly Value[]])[];
  readonly deletes: readonly (readonly [string, readonly Value[]])[];
};
export type Command =
  | { readonly id: number; readonly do: 'commit'; readonly batches: readonly WireBatch[] }
  | { readonly id: number; readonly do: 'prune'; readonly sql: string; readonly values: readonly Value[] }
  | { readonly id: number; readonly do: 'backup'; readonly path: string }
  | { readonly id: number; readonly do: 'close' };

function run(command: Command): unknown {
  switch (command.do) {
    case 'commit':
      db.exec('BEGIN IMMEDIATE');
      for (const batch of command.batches) write(batch);
      db.exec('COMMIT');
      return undefined;
    case 'prune': {
      const gone = statement(command.sql).all(...command.values) as { size: number }[];
      return { blobs: gone.length, bytes: gone.reduce((sum, row) => sum + row.size, 0) };
    }
    case 'backup':
      statement('VACUUM INTO ?').run(command.path);
      chmodSync(command.path, 0o600);
      return undefined;
    case 'close':
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      db.close();
      lock?.close();
      return undefined;
  }
}

try {
  db = open();
  port.on('message', (command: Command) => {
    try {
      port.postMessage({ id: command.id, value: run(command) });
    } catch (error) {
      // The transaction, if one is open, must not stay: SQLite may already have rolled it back.
      if (db.isOpen && db.isTransaction) db.exec('ROLLBACK');
      port.postMessage({ id: command.id, failure: toData(storeError(error)) });
    }
    if (command.do === 'close') port.close();
  });
  port.postMessage({ ready: true });
} catch (error) {
  port.postMessage({ failure: toData(storeError(error)) });
}
