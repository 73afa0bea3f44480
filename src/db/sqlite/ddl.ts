/** SQL text from the table declarations: creation, and what an older file lacks. */
import type { DatabaseSync } from 'node:sqlite';
import { type Column, StoreError, type Table } from '../store.ts';

/** Raised only when something other than a new table, index or nullable column changes; each step is numbered. */
export const SCHEMA_VERSION = 1;

const SQL_TYPES = { text: 'TEXT', int: 'INTEGER', real: 'REAL', bytes: 'BLOB' } as const;

const BASE = `
CREATE TABLE IF NOT EXISTS entry(log INTEGER NOT NULL, seq INTEGER NOT NULL, agent INTEGER NOT NULL, n INTEGER NOT NULL,
  call TEXT, kind TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, leaf BLOB NOT NULL, PRIMARY KEY(log, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_call ON entry(call, seq) WHERE call IS NOT NULL;
CREATE INDEX IF NOT EXISTS entry_agent ON entry(agent, n);
CREATE TABLE IF NOT EXISTS blob(owner TEXT NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(owner, hash));
CREATE INDEX IF NOT EXISTS blob_at ON blob(at);
`;

const columnSql = (column: Column): string =>
  `"${column.name}" ${SQL_TYPES[column.type]}${column.nullable ? '' : ' NOT NULL'}`;

/** Creates what is missing and adds new nullable columns; a newer file is refused untouched. */
export function migrate(db: DatabaseSync, tables: readonly Table[]): void {
  const version = (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
  if (version > SCHEMA_VERSION) {
    throw new StoreError(
      'newer',
      `the database has schema version ${version}, this mezz knows ${SCHEMA_VERSION}`,
      'use the newer mezz that wrote it, or restore a backup made before',
    );
  }
  db.exec('BEGIN IMMEDIATE');
  db.exec(BASE);
  for (const table of tables) addTable(db, table);
  db.exec(`PRAGMA user_version=${SCHEMA_VERSION}`);
  db.exec('COMMIT');
}

function addTable(db: DatabaseSync, table: Table): void {
  const key = table.key.map((name) => `"${name}"`).join(',');
  db.exec(
    `CREATE TABLE IF NOT EXISTS "${table.name}"(${table.columns.map(columnSql).join(',')}, PRIMARY KEY(${key})) WITHOUT ROWID`,
  );
  const present = new Set(
    (db.prepare(`PRAGMA table_info("${table.name}")`).all() as { name: string }[]).map((row) => row.name),
  );
  for (const column of table.columns) {
    if (present.has(column.name)) continue;
    if (!column.nullable) {
      throw new StoreError(
        'failed',
        `${table.name}.${column.name} is new and not nullable`,
        'report this: a migration step is missing',
      );
    }
    db.exec(`ALTER TABLE "${table.name}" ADD COLUMN ${columnSql(column)}`);
  }
  for (const index of table.indexes ?? []) {
    const name = `${table.name}_${index.join('_')}`;
    db.exec(
      `CREATE INDEX IF NOT EXISTS "${name}" ON "${table.name}"(${index.map((column) => `"${column}"`).join(',')})`,
    );
  }
}
