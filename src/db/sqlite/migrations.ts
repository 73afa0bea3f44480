/**
 * The shape of the file. New tables, indexes and nullable columns follow from the declarations; every other change is a
 * step below. Invariant: one transaction from the old shape to the new; a file of a newer mezz is refused untouched.
 */
import type { DatabaseSync } from 'node:sqlite';
import { type Column, StoreError, type Table } from '../store.ts';

/** Step i leads from schema version i+1 to i+2. Steps are never changed once released. */
const STEPS: readonly ((db: DatabaseSync) => void)[] = [
  // From 2 on, what was acknowledged last may lie in the redo log, which a mezz of version 1 would not look into.
  balancesBefore,
  // From 3 on, the database says in what shape of the tables the redo log is written.
  shapeOfLog,
];

export const SCHEMA_VERSION = 1 + STEPS.length;

/** Rows of a day and a month said what was used in it, and say what was used before it: those of past ones go. */
function balancesBefore(db: DatabaseSync): void {
  if (!hasTable(db, 'balance')) return;
  db.exec(
    `DELETE FROM balance WHERE period<>'total' AND start<(SELECT max(newest.start) FROM balance newest WHERE newest.period=balance.period)`,
  );
  const names = ['requests', 'input', 'cacheRead', 'cacheWrite', 'output', 'reasoning', 'cost'];
  const before = names.map((name) => `${name}=total.${name}-balance.${name}`);
  db.exec(
    `UPDATE balance SET ${before.join(',')} FROM balance total WHERE balance.period<>'total' AND total.period='total' AND total.scope=balance.scope`,
  );
}

function shapeOfLog(db: DatabaseSync): void {
  if (hasTable(db, 'redo')) db.exec('ALTER TABLE redo ADD COLUMN shape TEXT');
}

export const hasTable = (db: DatabaseSync, name: string): boolean =>
  db.prepare('SELECT 1 FROM sqlite_schema WHERE type=? AND name=?').get('table', name) !== undefined;

const SQL_TYPES = { text: 'TEXT', int: 'INTEGER', real: 'REAL', bytes: 'BLOB' } as const;

const BASE = `
CREATE TABLE IF NOT EXISTS entry(log INTEGER NOT NULL, seq INTEGER NOT NULL, agent INTEGER NOT NULL, n INTEGER NOT NULL,
  call TEXT, kind TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, leaf BLOB NOT NULL, PRIMARY KEY(log, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_call ON entry(call, seq) WHERE call IS NOT NULL;
CREATE INDEX IF NOT EXISTS entry_agent ON entry(agent, n);
CREATE TABLE IF NOT EXISTS blob(owner TEXT NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(owner, hash));
CREATE INDEX IF NOT EXISTS blob_at ON blob(at);
CREATE TABLE IF NOT EXISTS redo(epoch INTEGER NOT NULL, applied INTEGER NOT NULL, shape TEXT);
INSERT INTO redo SELECT 0, 0, NULL WHERE NOT EXISTS(SELECT 1 FROM redo);
`;

/** Throws StoreError `newer`. */
export function refuseNewer(db: DatabaseSync, known = SCHEMA_VERSION): void {
  const version = schemaVersion(db);
  if (version <= known) return;
  throw new StoreError(
    'newer',
    `the database has schema version ${version}, this mezz knows ${known}`,
    'use the newer mezz that wrote it, or restore a backup made before',
  );
}

/** `steps` is an argument for tests alone. Throws StoreError `newer`, or `failed` where a step is missing. */
export function migrate(db: DatabaseSync, tables: readonly Table[], steps = STEPS): void {
  const known = 1 + steps.length;
  refuseNewer(db, known);
  const version = schemaVersion(db);
  db.exec('BEGIN IMMEDIATE');
  try {
    for (const step of version === 0 ? [] : steps.slice(version - 1)) step(db);
    db.exec(BASE);
    for (const table of tables) shapeTable(db, table);
    db.exec(`PRAGMA user_version=${known}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

export function schemaVersion(db: DatabaseSync): number {
  return (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
}

interface ColumnInfo {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly pk: number;
}

const columnSql = (column: Column): string =>
  `"${column.name}" ${SQL_TYPES[column.type]}${column.nullable ? '' : ' NOT NULL'}`;

const list = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(',');

function shapeTable(db: DatabaseSync, table: Table): void {
  db.exec(
    `CREATE TABLE IF NOT EXISTS "${table.name}"(${table.columns.map(columnSql).join(',')}, PRIMARY KEY(${list(table.key)})) WITHOUT ROWID`,
  );
  const present = db.prepare(`PRAGMA table_info("${table.name}")`).all() as unknown as ColumnInfo[];
  for (const column of table.columns) {
    const there = present.find((info) => info.name === column.name);
    if (there) needStep(sameColumn(column, there), table, `${column.name} has changed`);
    else {
      needStep(column.nullable === true, table, `${column.name} is new and not nullable`);
      db.exec(`ALTER TABLE "${table.name}" ADD COLUMN ${columnSql(column)}`);
    }
  }
  const names = new Set(table.columns.map((column) => column.name));
  const lost = present.find((info) => info.notnull === 1 && !names.has(info.name));
  needStep(!lost, table, `${lost?.name} is no longer declared`);
  const key = present.filter((info) => info.pk > 0).sort((a, b) => a.pk - b.pk);
  needStep(key.map((info) => info.name).join() === table.key.join(), table, 'its key has changed');
  for (const index of table.indexes ?? []) {
    const name = `${table.name}_${index.join('_')}`;
    db.exec(`CREATE INDEX IF NOT EXISTS "${name}" ON "${table.name}"(${list(index)})`);
  }
}

const sameColumn = (column: Column, info: ColumnInfo): boolean =>
  info.type === SQL_TYPES[column.type] && (info.notnull === 0) === (column.nullable === true);

function needStep(derivable: boolean, table: Table, what: string): void {
  if (derivable) return;
  throw new StoreError('failed', `${table.name}: ${what}`, 'report this: a migration step is missing');
}
