/** The one writer: a worker thread that turns each message (a list of batches) into one durable transaction. */
import type { StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import type { Batch, Table, Value } from '../store.ts';
import { storeError, toData } from './failure.ts';
import { type OpenedFile, openForWriting } from './open.ts';

const { directory, tables } = workerData as { directory: string; tables: readonly Table[] };
const port = parentPort;
assert(port, 'the writer runs as a worker');

let file: OpenedFile;
const statements = new Map<string, StatementSync>();
function statement(sql: string): StatementSync {
  let prepared = statements.get(sql);
  if (!prepared) {
    prepared = file.db.prepare(sql);
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
  for (const { owner, hash } of batch.erases ?? [])
    statement('DELETE FROM blob WHERE owner=? AND hash=?').run(owner, hash);
  if (batch.drop)
    statement('DELETE FROM entry WHERE log=? AND seq<?').run(batch.drop.log, batch.drop.beforeSeq);
}

const byName = new Map(tables.map((table) => [table.name, table]));
function tableNamed(name: string): Table {
  const table = byName.get(name);
  assert(table, `table ${name} is not declared in db/schema`);
  return table;
}

/** A batch as it crosses to the worker: rows as value lists in the order of the table's columns. */
export type WireBatch = Pick<Batch, 'entries' | 'blobs' | 'erases' | 'drop'> & {
  readonly puts: readonly (readonly [string, readonly Value[]])[];
  readonly deletes: readonly (readonly [string, readonly Value[]])[];
};
export type Command =
  | { readonly id: number; readonly do: 'commit'; readonly batches: readonly WireBatch[] }
  | { readonly id: number; readonly do: 'shrink'; readonly pages: number }
  | { readonly id: number; readonly do: 'close' };

function transaction<T>(work: () => T): T {
  file.db.exec('BEGIN IMMEDIATE');
  const result = work();
  file.db.exec('COMMIT');
  return result;
}

/**
 * Gives free pages back to the file system, a bounded number at a time, and then empties the log: with secure_delete
 * nothing deleted is left in either file. `busy`: a reader holds the log.
 */
function shrink(pages: number): 'more' | 'busy' | 'done' {
  file.db.exec(`PRAGMA incremental_vacuum(${pages})`);
  const { freelist_count: free } = file.db.prepare('PRAGMA freelist_count').get() as {
    freelist_count: number;
  };
  const { auto_vacuum: automatic } = file.db.prepare('PRAGMA auto_vacuum').get() as { auto_vacuum: number };
  if (free > 0 && automatic !== 0) return 'more';
  const { busy } = file.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
  return busy === 0 ? 'done' : 'busy';
}

function close(): void {
  file.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  file.db.close();
  file.lock.close();
}

function run(command: Command): unknown {
  switch (command.do) {
    case 'commit':
      return transaction(() => command.batches.forEach(write));
    case 'shrink':
      return shrink(command.pages);
    case 'close':
      return close();
  }
}

try {
  file = openForWriting(directory, tables);
  port.on('message', (command: Command) => {
    try {
      port.postMessage({ id: command.id, value: run(command) });
    } catch (error) {
      const failure = toData(storeError(error));
      // SQLite may or may not have rolled back by itself.
      if (file.db.isOpen && file.db.isTransaction) file.db.exec('ROLLBACK');
      port.postMessage({ id: command.id, failure });
    }
    if (command.do === 'close') port.close();
  });
  port.postMessage({ ready: true });
} catch (error) {
  port.postMessage({ failure: toData(storeError(error)) });
}
