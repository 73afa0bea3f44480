/** The machine's files, checkouts and ports, as the tool broker sees them: never through a shell, and changed only to put a file back. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, opendir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { sha256Hex } from '../base/hash.ts';
import type { Checkout, Content, Digest, Workspace } from '../base/ports.ts';
import { LIMITS } from './limits.ts';
import { portsOf } from './listeners.ts';

export const systemWorkspace: Workspace = {
  canonical,
  digest,
  content,
  below,
  restore,
  checkout,
  uncommitted,
  isListening,
  portsOf,
};

async function canonical(path: string, cwd: string): Promise<string> {
  // As tool servers for files read it; a shell's is read before.
  const named = /^~(?=\/|$)/.test(path) ? homedir() + path.slice(1) : path;
  const whole = isAbsolute(named) ? resolve(named) : resolve(cwd || '/', named);
  const missing: string[] = [];
  for (let at = whole; ; at = dirname(at)) {
    const real = await realpath(at).catch(() => undefined);
    if (real !== undefined) return join(real, ...missing);
    if (dirname(at) === at) return whole;
    missing.unshift(at.slice(dirname(at).length).replace(/^\//, ''));
  }
}

async function digest(path: string, known: Digest | undefined): Promise<Digest | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  const mark = `${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
  if (known?.stat === mark) return known;
  const changedAt = Number(found.mtimeMs);
  // Of a very large file its size and times alone tell versions apart.
  if (found.size > BigInt(LIMITS.hashedBytes.value)) return { stat: mark, hash: mark, changedAt };
  try {
    return { stat: mark, hash: await hashOf(path, Number(found.size)), changedAt };
  } catch {
    return undefined;
  }
}

async function hashOf(path: string, size: number): Promise<string> {
  if (size <= LIMITS.hashedAtOnce.value) return sha256Hex(await readFile(path));
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function content(path: string, maxBytes: number): Promise<Content | undefined | 'other'> {
  try {
    const found = await stat(path);
    if (!found.isFile() || found.size > maxBytes) return 'other';
    return { bytes: await readFile(path), mode: found.mode & 0o777 };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'other';
  }
}

async function below(directory: string, most: number): Promise<string[] | undefined> {
  const found: string[] = [];
  const open = [directory];
  let seen = 0;
  try {
    for (let at = open.pop(); at !== undefined; at = open.pop())
      for await (const entry of await opendir(at)) {
        const path = join(at, entry.name);
        if (entry.isDirectory()) open.push(path);
        else if (entry.isFile()) found.push(path);
        if (++seen > most) return undefined;
      }
    return found;
  } catch {
    return undefined;
  }
}

async function restore(...[path, content]: Parameters<Workspace['restore']>): Promise<string | undefined> {
  const draft = `${path}.mezz-${process.pid}`;
  try {
    if (!content) return void (await rm(path));
    const otherwise = content.mode ?? 0o666 & ~process.umask();
    const { mode } = await stat(path).catch(() => ({ mode: otherwise }));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(draft, content.bytes, { flag: 'wx', mode: mode & 0o777 });
    await rename(draft, path);
    return undefined;
  } catch (error) {
    await rm(draft, { force: true });
    return (error as Error).message;
  }
}

const textOf = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );

async function checkout(directory: string): Promise<Checkout | undefined> {
  for (let root = directory; ; root = dirname(root)) {
    const gitDir = await gitDirOf(join(root, '.git'), root);
    if (gitDir !== undefined) {
      const common = await textOf(join(gitDir, 'commondir'));
      const head = await textOf(join(gitDir, 'HEAD'));
      return {
        root,
        gitDir,
        commonDir: common === undefined ? gitDir : resolve(gitDir, common),
        branch: /^ref: (refs\/heads\/.+)$/.exec(head ?? '')?.[1],
      };
    }
    if (dirname(root) === root) return undefined;
  }
}

/** `.git` is the directory itself, or a file that names it: in a linked worktree. */
async function gitDirOf(path: string, root: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return path;
  const named = found && /^gitdir: (.+)$/.exec((await textOf(path)) ?? '')?.[1];
  return named === undefined ? undefined : resolve(root, named);
}

function uncommitted(root: string): Promise<{ path: string; tracked: boolean }[]> {
  const args = [
    '--no-optional-locks',
    '-C',
    root,
    'status',
    '--porcelain=v1',
    '-z',
    '--untracked-files=all',
    '--no-renames',
  ];
  return new Promise((done) => {
    execFile('git', args, { timeout: LIMITS.gitMs.value, maxBuffer: LIMITS.gitBytes.value }, (error, out) => {
      // Where git cannot be asked, nothing is known to be thrown away.
      if (error) return done([]);
      const lines = out.split('\0').filter((line) => line.length > 3);
      done(lines.map((line) => ({ path: join(root, line.slice(3)), tracked: !line.startsWith('??') })));
    });
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: LIMITS.portLookMs.value });
    const end = (listens: boolean) => {
      socket.destroy();
      done(listens);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    // After a stall the clock rings before what has long come is heard.
    socket.once('timeout', () => setImmediate(end, false));
  });
}
