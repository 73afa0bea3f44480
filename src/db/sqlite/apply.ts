/** Puts committed batches into the database: many in one transaction, each row that several of them change once. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { assert } from '../../base/assert.ts';
import {
  BLOB_COLUMNS,
  type Commit,
  ENTRY_COLUMNS,
  type Group,
  merge,
  type Shape,
  unwritten,
} from './group.ts';
import type { Numbered } from './redo.ts';

const names = (columns: readonly string[]) => columns.map((column) => `"${column}"`).join(',');
const marks = (columns: readonly string[]) => columns.map(() => '?').join(',');

const ENTRY_SQL = `INSERT INTO entry(${names(ENTRY_COLUMNS)}) VALUES(${marks(ENTRY_COLUMNS)})`;
const BLOB_SQL = `INSERT OR IGNORE INTO blob(${names(BLOB_COLUMNS)}) VALUES(${marks(BLOB_COLUMNS)})`;

interface TableSql {
  readonly put: string;
  readonly remove: string;
}

export class Applier {
  readonly #db: DatabaseSync;
  readonly #tables: readonly Shape[];
  readonly #sql = new Map<string, TableSql>();
  readonly #statements = new Map<string, StatementSync>();
  /** The last record that the database holds. */
  #applied: number;

  constructor(db: DatabaseSync, tables: readonly Shape[], applied = 0) {
    this.#db = db;
    this.#tables = tables;
    this.#applied = applied;
    for (const { name, columns, key } of tables) {
      const all = columns.map((column) => column.name);
      this.#sql.set(name, {
        put: `INSERT OR REPLACE INTO "${name}"(${names(all)}) VALUES(${marks(all)})`,
        remove: `DELETE FROM "${name}" WHERE ${key.map((column) => `"${column}"=?`).join(' AND ')}`,
      });
    }
  }

  /** All of it or nothing. After some that could not be applied nothing is, or those would be lost. */
  apply(records: readonly Numbered[]): void {
    assert(records[0]?.number === this.#applied + 1, 'the redo log goes on with another record');
    const last = this.#applied + records.length;
    const commits = records.map(({ text, bytes }) => ({ commit: JSON.parse(text) as Commit, bytes }));
    this.#db.exec('BEGIN IMMEDIATE');
    for (const group of merge(commits, this.#tables)) this.#write(group);
    this.#statement('UPDATE redo SET applied=?').run(last);
    this.#db.exec('COMMIT');
    this.#applied = last;
  }

  #write({ entries, blobs, writes, erases, drop }: Group): void {
    for (const { values, bytes } of entries) this.#statement(ENTRY_SQL).run(...values, bytes);
    for (const [table, rows] of writes) {
      const sql = this.#sql.get(table);
      assert(sql, `table ${table} is not declared in db/schema`);
      for (const { isPut, values } of rows.values())
        this.#statement(isPut ? sql.put : sql.remove).run(...values.map(unwritten));
    }
    for (const { values, bytes } of blobs) this.#statement(BLOB_SQL).run(...values, bytes);
    for (const { owner, hash } of erases)
      this.#statement('DELETE FROM blob WHERE owner=? AND hash=?').run(owner, hash);
    if (drop) this.#statement('DELETE FROM entry WHERE log=? AND seq<?').run(drop.log, drop.beforeSeq);
  }

  #statement(sql: string): StatementSync {
    let prepared = this.#statements.get(sql);
    if (!prepared) {
      prepared = this.#db.prepare(sql);
      this.#statements.set(sql, prepared);
    }
    return prepared;
  }
}
