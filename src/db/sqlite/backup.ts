/** Copies of the database: made while the kernel runs, put back while it does not. */
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../store.ts';
import { Channel } from './channel.ts';
import { storeError } from './failure.ts';
import { SCHEMA_VERSION, schemaVersion } from './migrations.ts';
import { DATABASE, holdLock, syncDirectory } from './open.ts';
import { REDO } from './redo.ts';

const LOGS = [`${DATABASE}-wal`, REDO];

/**
 * Writes a consistent copy to `path` in a worker of its own, so that neither commits nor reads wait for it. The copy
 * appears under its name only when it is whole and on disk; a file already there is never touched.
 */
export async function writeBackup(directory: string, path: string): Promise<void> {
  const part = `${path}.part`;
  const taken = () => new StoreError('failed', `${path} is already there`, 'choose a new file name');
  if (existsSync(path)) throw taken();
  try {
    await rm(part, { force: true });
    await (await open(part, 'wx', 0o600)).close();
    const reader = await Channel.start('reader', { directory });
    try {
      await reader.ask({ sql: 'VACUUM INTO ?', values: [part] });
    } finally {
      await reader.end();
    }
    const file = await open(part, 'r+');
    await file.sync();
    await file.close();
    // A link, unlike a rename, refuses a name that has appeared meanwhile.
    await link(part, path);
    syncDirectory(dirname(path));
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? taken() : storeError(error);
  } finally {
    await rm(part, { force: true });
  }
}

/**
 * Puts a verified backup in the place of the database of a directory where no kernel runs. The present database, sound
 * or not, stays whole in `aside`. Throws StoreError `locked`, `newer`, `corrupt` or `failed`; then nothing has changed.
 * For the command line: it blocks.
 */
export function restoreBackup(backup: string, directory: string): { readonly aside: string | undefined } {
  verifyBackup(backup);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = holdLock(directory);
  try {
    const part = join(directory, `${DATABASE}.part`);
    copyDurably(backup, part);
    const log = logBeside(backup) && join(directory, `${REDO}.part`);
    if (log) copyDurably(join(dirname(backup), REDO), log);
    const aside = setAside(directory);
    // The logs go first: next to another database they would be replayed into it. They live on in `aside`.
    for (const name of [...LOGS, `${DATABASE}-shm`]) rmSync(join(directory, name), { force: true });
    if (log) renameSync(log, join(directory, REDO));
    renameSync(part, join(directory, DATABASE));
    syncDirectory(directory);
    return { aside };
  } catch (error) {
    throw storeError(error);
  } finally {
    lock.close();
  }
}

function verifyBackup(path: string): void {
  if (!existsSync(path))
    throw new StoreError('failed', `${path} does not exist`, 'name a file made by mezz backup');
  try {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      const version = schemaVersion(db);
      if (version > SCHEMA_VERSION) {
        throw new StoreError(
          'newer',
          `the backup has schema version ${version}`,
          'use the mezz that made it',
        );
      }
      const [verdict] = db.prepare('PRAGMA integrity_check(1)').all() as { integrity_check: string }[];
      const ours = db.prepare("SELECT 1 FROM sqlite_schema WHERE type='table' AND name='entry'").get();
      if (verdict?.integrity_check !== 'ok' || !ours) throw damaged(path);
    } finally {
      db.close();
    }
  } catch (error) {
    throw storeError(error).code === 'corrupt' ? damaged(path) : storeError(error);
  }
}

const damaged = (path: string): StoreError =>
  new StoreError('corrupt', `${path} is not a sound backup of mezz`, 'choose another backup');

/** A copy made by `mezz backup` needs none; a database that a restore set aside may have its last commits there. */
const logBeside = (path: string): boolean =>
  basename(path) === DATABASE && existsSync(join(dirname(path), REDO));

function copyDurably(from: string, to: string): void {
  rmSync(to, { force: true });
  // What a restore set aside after a crash has its last commits in a log of its own: only SQLite can read the two.
  if (existsSync(`${from}-wal`)) {
    const db = new DatabaseSync(from);
    db.prepare('VACUUM INTO ?').run(to);
    db.close();
  } else copyFileSync(from, to, constants.COPYFILE_EXCL);
  const file = openSync(to, 'r+', 0o600);
  fsyncSync(file);
  closeSync(file);
}

/** Gives the present database and its log second names; the first ones stay until the new database takes them. */
function setAside(directory: string): string | undefined {
  if (!existsSync(join(directory, DATABASE))) return undefined;
  let n = 1;
  while (existsSync(join(directory, `before-restore-${n}`))) n++;
  const aside = join(directory, `before-restore-${n}`);
  mkdirSync(aside, { mode: 0o700 });
  for (const name of [DATABASE, ...LOGS])
    if (existsSync(join(directory, name))) linkSync(join(directory, name), join(aside, name));
  syncDirectory(aside);
  return aside;
}
