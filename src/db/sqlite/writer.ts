/** The one writer: a worker thread that turns each message (merged batches) into one durable transaction. */
import type { StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import type { Table, Value } from '../store.ts';
import { storeError, toData } from './failure.ts';
import { BLOB_COLUMNS, type Commit, ENTRY_COLUMNS, unwritten, type WireCommit } from './group.ts';
import { assertThere, type OpenedFile, openForWriting } from './open.ts';

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

const names = (columns: readonly string[]) => columns.map((column) => `"${column}"`).join(',');
const marks = (columns: readonly string[]) => columns.map(() => '?').join(',');

const ENTRY_SQL = `INSERT INTO entry(${names(ENTRY_COLUMNS)}) VALUES(${marks(ENTRY_COLUMNS)})`;
const BLOB_SQL = `INSERT OR IGNORE INTO blob(${names(BLOB_COLUMNS)}) VALUES(${marks(BLOB_COLUMNS)})`;

interface TableSql {
  readonly hasBytes: boolean;
  readonly put: string;
  readonly remove: string;
}
const tableSql = new Map(
  tables.map(({ name, columns, key }): [string, TableSql] => {
    const all = columns.map((column) => column.name);
    return [
      name,
      {
        hasBytes: columns.some(({ type }) => type === 'bytes'),
        put: `INSERT OR REPLACE INTO "${name}"(${names(all)}) VALUES(${marks(all)})`,
        remove: `DELETE FROM "${name}" WHERE ${key.map((column) => `"${column}"=?`).join(' AND ')}`,
      },
    ];
  }),
);

function sqlOf(name: string): TableSql {
  const sql = tableSql.get(name);
  assert(sql, `table ${name} is not declared in db/schema`);
  return sql;
}

/** Runs a statement once for every row whose last value is bytes, which lie in `bytes` from `from` on. Gives where the next begin. */
function runWithBytes(
  sql: string,
  rows: readonly (readonly Value[])[],
  bytes: Uint8Array,
  from: number,
): number {
  const prepared = statement(sql);
  let end = from;
  for (const row of rows) {
    const start = end;
    end += row.at(-1) as number;
    prepared.run(...row.slice(0, -1), bytes.subarray(start, end));
  }
  return end;
}

function write({ text, bytes }: WireCommit): void {
  const commit = JSON.parse(text) as Commit;
  const entriesEnd = runWithBytes(ENTRY_SQL, commit.entries, bytes, 0);
  for (const [name, rows] of commit.puts) {
    const { put, hasBytes } = sqlOf(name);
    const prepared = statement(put);
    for (const row of rows) prepared.run(...(hasBytes ? row.map(unwritten) : (row as Value[])));
  }
  for (const [name, keys] of commit.deletes) {
    const prepared = statement(sqlOf(name).remove);
    for (const key of keys) prepared.run(...(key as Value[]));
  }
  runWithBytes(BLOB_SQL, commit.blobs, bytes, entriesEnd);
  for (const { owner, hash } of commit.erases)
    statement('DELETE FROM blob WHERE owner=? AND hash=?').run(owner, hash);
  if (commit.drop)
    statement('DELETE FROM entry WHERE log=? AND seq<?').run(commit.drop.log, commit.drop.beforeSeq);
}

export type Command =
  | { readonly id: number; readonly do: 'commit'; readonly runs: readonly WireCommit[] }
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
      transaction(() => command.runs.forEach(write));
      return assertThere(file, directory);
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
