/** What is acknowledged is stored, and nothing is stored by half, whatever happens to the process or the disk. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../../src/base/random.ts';
import { openSqliteStore } from '../../src/db/sqlite/store.ts';

const RUNS = Number(process.env.MEZZ_CRASH_RUNS ?? 12);
const BATCH = 8;
const appender = fileURLToPath(new URL('./appender.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'mezz-crash-'));
const children = new Set<ChildProcess>();
const mounts: string[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
  for (const mount of mounts) spawnSync('umount', [mount]);
  rmSync(root, { recursive: true, force: true });
});

interface Ended {
  readonly acknowledged: number;
  readonly words: string[];
  readonly errors: string;
}

/** Runs a program to its end, or kills it after so many lines of its output. */
function run(command: string, args: string[], killAfter = Number.POSITIVE_INFINITY): Promise<Ended> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let text = '';
  let errors = '';
  child.stdout.on('data', (data) => {
    text += data;
    if (text.split('\n').length > killAfter) child.kill('SIGKILL');
  });
  child.stderr.on('data', (data) => (errors += data));
  return new Promise((resolve) => {
    child.on('close', () => {
      children.delete(child);
      // A line without its end was cut by the kill: it may be the beginning of a longer number.
      const words = text.split('\n').slice(0, -1);
      const numbers = words.filter((word) => /^\d+$/.test(word)).map(Number);
      resolve({ acknowledged: Math.max(-1, ...numbers), words, errors });
    });
  });
}

/** Everything acknowledged is there, without gaps and in whole batches. Returns how many entries there are. */
async function verify(directory: string, acknowledged: number): Promise<number> {
  const store = await openSqliteStore({ directory, tables: [] });
  const [last] = await store.entries({ reverse: true, limit: 1 });
  const { entries } = await store.stats();
  assert.ok((last?.seq ?? -1) >= acknowledged, `acknowledged ${acknowledged}, found ${last?.seq}`);
  assert.equal(entries, (last?.seq ?? -1) + 1, 'no gaps');
  assert.equal(entries % BATCH, 0, 'no torn batch');
  assert.deepEqual(await store.check(), []);
  await store.close();
  return entries;
}

test(`kill -9 at ${RUNS} points of a growing file`, async () => {
  const directory = join(root, 'killed');
  const random = seededRandom(9);
  let before = 0;
  for (let i = 0; i < RUNS; i++) {
    const { acknowledged, words } = await run(
      process.execPath,
      [appender, directory],
      1 + random.unit() * 200,
    );
    assert.ok(acknowledged >= before, `it wrote: ${words.slice(-2)}`);
    before = await verify(directory, acknowledged);
  }
});

test('a full disk ends the store and loses nothing acknowledged', async (t) => {
  const mount = join(root, 'small');
  mkdirSync(mount);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount]).status !== 0) {
    t.skip('SKIPPED: a small file system cannot be mounted here');
    return;
  }
  mounts.push(mount);
  const directory = join(mount, 'state');
  const { acknowledged, words, errors } = await run(process.execPath, [appender, directory, 'big']);
  assert.equal(words.at(-1), 'full');
  assert.equal(errors, 'fatal full\n', 'reported once');
  assert.ok(acknowledged > 0);
  assert.equal(spawnSync('mount', ['-o', 'remount,size=32m', mount]).status, 0);
  await verify(directory, acknowledged);
});

test('a limit on file sizes ends the store and loses nothing acknowledged', async () => {
  const directory = join(root, 'limited');
  const script = 'ulimit -f 8000; exec "$@"';
  const args = ['-c', script, 'sh', process.execPath, appender, directory, 'big'];
  const { acknowledged, words, errors } = await run('/bin/sh', args);
  assert.equal(words.at(-1), 'failed');
  assert.equal(errors, 'fatal failed\n');
  assert.ok(acknowledged > 0);
  await verify(directory, acknowledged);
});

test('a directory that cannot be written is refused', async (t) => {
  const directory = join(root, 'readonly');
  mkdirSync(directory);
  if (process.getuid?.() !== 0) chmodSync(directory, 0o500);
  else {
    const bound = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', directory]).status === 0;
    if (!bound) {
      t.skip('SKIPPED: root may write everywhere and cannot mount here');
      return;
    }
    mounts.push(directory);
  }
  await assert.rejects(openSqliteStore({ directory, tables: [] }), { code: 'readonly' });
});

test('a damaged file is reported, not served', async () => {
  const directory = join(root, 'damaged');
  await run(process.execPath, [appender, directory, 'fifty']);
  const path = join(directory, 'mezz.db');
  const file = openSync(path, 'r+');
  const noise = Buffer.alloc(4096, 7);
  for (let at = 4096; at < statSync(path).size; at += 4096) writeSync(file, noise, 0, 4096, at);
  closeSync(file);
  const serve = async () => {
    const store = await openSqliteStore({ directory, tables: [] });
    try {
      assert.notDeepEqual(await store.check(), []);
      await store.entries({ limit: 1 });
    } finally {
      await store.close();
    }
  };
  await assert.rejects(serve(), { code: 'corrupt' });
});

test('a second kernel is refused while the first lives, and not a moment longer', async () => {
  const directory = join(root, 'shared');
  const store = await openSqliteStore({ directory, tables: [] });
  const second = await run(process.execPath, [appender, directory]);
  assert.deepEqual(second.words, ['locked']);
  await store.close();
  const third = await run(process.execPath, [appender, directory], 2);
  await verify(directory, third.acknowledged);
});

test('every acknowledged commit has synced the disk', async (t) => {
  if (spawnSync('strace', ['-V']).status !== 0) {
    t.skip('SKIPPED: strace is not here to count syncs');
    return;
  }
  const trace = join(root, 'trace');
  const options = ['-f', '-y', '-o', trace, '-e', 'trace=fsync,fdatasync,openat,write,pwrite64', '-s', '8'];
  const { words } = await run('strace', [
    ...options,
    process.execPath,
    appender,
    join(root, 'traced'),
    'fifty',
  ]);
  const [before = '', between = ''] = readFileSync(trace, 'utf8').split(/write\(2.*MARK.*/);
  assert.equal(words.length, 50);
  // On Linux the log is open for synchronous writing; elsewhere each write is followed by a sync.
  assert.match(before, /openat\(.*mezz\.redo.*O_DSYNC/);
  const syncs = between.match(/pwrite64\(\d+<[^>]*mezz\.redo>/g)?.length ?? 0;
  assert.ok(syncs >= 50, `${syncs} synchronous writes for 50 acknowledged commits`);
});
