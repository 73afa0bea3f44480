/** The redo log when a database is opened: what it holds beyond the database goes there. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { Applier } from './apply.ts';
import { ownFile, syncDirectory } from './open.ts';
import { REDO, REDO_BYTES, recordsAfter } from './redo.ts';

/** Brings the database up to all that was acknowledged and gives the epoch of what comes next. */
export function replay(directory: string, db: DatabaseSync, applier: Applier, log: Buffer): number {
  const path = join(directory, REDO);
  if (existsSync(path)) readInto(log, path);
  const { epoch, applied } = db.prepare('SELECT epoch, applied FROM redo').get() as {
    epoch: number;
    applied: number;
  };
  const next = randomBytes(6).readUIntBE(0, 6);
  applier.begin(recordsAfter(log, epoch, applied), next);
  return next;
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
