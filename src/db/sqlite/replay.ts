/** The redo log when a database is opened: what it holds beyond the database goes there. */
import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { Applier } from './apply.ts';
import type { Shape } from './group.ts';
import { hasTable } from './migrations.ts';
import { ownFile, syncDirectory } from './open.ts';
import { REDO, REDO_BYTES, recordsAfter } from './redo.ts';

/** What the database says of the log. */
interface LogState {
  readonly epoch: number;
  readonly applied: number;
  /** `Shape[]` as JSON: the tables that its records are rows of. */
  readonly shape?: string | null;
}

/**
 * Brings the database, its tables still as they were, up to all that was acknowledged. `log` then holds the file.
 * `tables`: what a log is read by that does not say it (schema version 2).
 */
export function replay(directory: string, db: DatabaseSync, tables: readonly Shape[], log: Buffer): void {
  const path = join(directory, REDO);
  if (existsSync(path)) readInto(log, path);
  if (!hasTable(db, 'redo')) return;
  const { epoch, applied, shape } = db.prepare('SELECT * FROM redo').get() as unknown as LogState;
  const records = recordsAfter(log, epoch, applied);
  if (records.length === 0) return;
  const written = shape ? (JSON.parse(shape) as Shape[]) : tables;
  new Applier(db, written, applied).apply(records);
}

/** From here on the log is written in this shape, and what it holds counts no more. Gives the epoch of what comes. */
export function beginLog(db: DatabaseSync, tables: readonly Shape[]): number {
  // SQLite's own randomness, since this thread would load a library for it and others wait until it is there.
  const { epoch } = db.prepare('SELECT random() & 0xffffffffffff AS epoch').get() as { epoch: number };
  const shape = tables.map(({ name, columns, key }) => ({
    name,
    columns: columns.map((column) => ({ name: column.name })),
    key,
  }));
  db.prepare('UPDATE redo SET epoch=?, applied=0, shape=?').run(
    epoch,
    JSON.stringify(shape satisfies Shape[]),
  );
  return epoch;
}

/** A file of the log's size, all of it allocated: what is written to it later needs no room and changes no length. */
export function allocate(directory: string): void {
  const path = ownFile(join(directory, REDO));
  const file = openSync(path, 'r+');
  try {
    if (fstatSync(file).size === REDO_BYTES) return;
    const zeros = Buffer.alloc(REDO_BYTES);
    for (let at = 0; at < REDO_BYTES; ) at += writeSync(file, zeros, at, REDO_BYTES - at, at);
    fsyncSync(file);
    syncDirectory(directory);
  } finally {
    closeSync(file);
  }
}

/** As much of the file as there is: what a shorter one lacks was never written. */
function readInto(log: Buffer, path: string): void {
  const file = openSync(path, 'r');
  try {
    for (let at = 0; at < log.length; ) {
      const read = readSync(file, log, at, log.length - at, at);
      if (read === 0) return;
      at += read;
    }
  } finally {
    closeSync(file);
  }
}
