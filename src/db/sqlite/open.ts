/** Opening the file: the directory, the lock against a second kernel, the pragmas that make an acknowledgement true. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LIMITS } from '../limits.ts';
import { StoreError } from '../store.ts';
import { storeError } from './failure.ts';
import { refuseNewer } from './migrations.ts';

export const DATABASE = 'mezz.db';
const LOCK = 'lock.db';
const HOLDER = 'lock.pid';

/** Before 3.51.3 two connections on one WAL could corrupt it (sqlite.org, 2026-03-13). */
const OLDEST_SQLITE = '3.51.3';

export interface OpenedFile {
  readonly db: DatabaseSync;
  /** Which file it is, whatever its name. */
  readonly inode: number;
  readonly lock: DatabaseSync;
}

/** Opens for writing, creating the file where it is missing; its tables are as they were. The lock is held until `lock` is closed or the process ends. */
export function openForWriting(directory: string): OpenedFile {
  makeDirectory(directory);
  const lock = holdLock(directory);
  const db = new DatabaseSync(ownFile(join(directory, DATABASE)), { timeout: LIMITS.busyWaitMs.value });
  refuseNewer(db);
  assertVersion((db.prepare('SELECT sqlite_version() AS v').get() as { v: string }).v);
  // The first has effect on a new file alone: an older one keeps the room of what was deleted for what comes.
  db.exec('PRAGMA auto_vacuum=INCREMENTAL; PRAGMA secure_delete=ON');
  // On macOS fsync alone does not reach the platter; elsewhere the two fullfsync pragmas do nothing.
  db.exec(
    'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA fullfsync=1; PRAGMA checkpoint_fullfsync=1',
  );
  db.exec(`PRAGMA journal_size_limit=${LIMITS.walBytes.value}`);
  db.exec(`PRAGMA wal_autocheckpoint=${LIMITS.checkpointPages.value}`);
  return { db, lock, inode: statSync(join(directory, DATABASE)).ino };
}

/**
 * A file without its name takes every write and is gone with the process: nothing written there may be acknowledged.
 * StoreError `failed` when the name is gone or leads to another file.
 */
export function whyGone({ inode }: Pick<OpenedFile, 'inode'>, directory: string): StoreError | undefined {
  const path = join(directory, DATABASE);
  if (statSync(path, { throwIfNoEntry: false })?.ino === inode) return undefined;
  return new StoreError(
    'failed',
    `${path} was removed or replaced while the kernel ran`,
    'mezz up starts with what is there now; mezz restore <backup> puts a copy in its place',
  );
}

/** Throws StoreError `sqlite_too_old`. */
export function assertVersion(version: string): void {
  const number = (text: string) => text.split('.').reduce((sum, part) => sum * 1000 + Number(part), 0);
  if (number(version) >= number(OLDEST_SQLITE)) return;
  throw new StoreError(
    'sqlite_too_old',
    `SQLite ${version} is older than ${OLDEST_SQLITE}, which can corrupt its log`,
    'run mezz on Node >= 24.14',
  );
}

/** Takes the lock of a directory: an exclusive transaction on a file of its own, which the OS ends with the process. */
export function holdLock(directory: string): DatabaseSync {
  const lock = new DatabaseSync(ownFile(join(directory, LOCK)));
  try {
    lock.exec('PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    const failure = storeError(error);
    if (failure.code !== 'locked') throw failure;
    throw new StoreError(
      'locked',
      `another kernel${holder(directory)} runs on ${directory}`,
      'mezz status shows it; mezz down ends it; MEZZ_HOME chooses another directory',
    );
  }
  writeFileSync(join(directory, HOLDER), `${process.pid}\n`, { mode: 0o600 });
  return lock;
}

/** A hint for the message only: the lock itself is what counts. */
function holder(directory: string): string {
  try {
    return ` (pid ${readFileSync(join(directory, HOLDER), 'utf8').trim()})`;
  } catch {
    return '';
  }
}

/** A directory that is there keeps its mode: it may be somebody else's choice. The files in it are private anyway. */
function makeDirectory(directory: string): void {
  const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (made !== undefined) syncDirectory(dirname(made));
}

/**
 * Creates the file for its owner alone before SQLite would create it for everyone. One that is there is not opened:
 * closing it would drop every POSIX lock this process holds on it.
 */
export function ownFile(path: string): string {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return path;
}

/** Makes names created in a directory durable. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
