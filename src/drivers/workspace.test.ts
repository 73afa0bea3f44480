import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemWorkspace } from './workspace.ts';

function inDirectory(run: (directory: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), 'mezz-workspace-')));
    try {
      await run(directory);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  };
}

test(
  'one file has one name, through links and where it is not there yet',
  inDirectory(async (directory) => {
    mkdirSync(join(directory, 'real'));
    symlinkSync(join(directory, 'real'), join(directory, 'link'));
    const { canonical } = systemWorkspace;
    assert.equal(await canonical('link/../link/a/b.txt', directory), join(directory, 'real/a/b.txt'));
    assert.equal(await canonical(join(directory, 'link'), '/'), join(directory, 'real'));
    assert.equal(await canonical('/', '/'), '/');
    assert.equal(await canonical('~/no such', '/'), join(realpathSync(homedir()), 'no such'));
    assert.equal(await canonical('~x', directory), join(directory, '~x'));
  }),
);

test(
  'a version changes with the content and not with the time alone',
  inDirectory(async (directory) => {
    const path = join(directory, 'a');
    const { digest } = systemWorkspace;
    assert.equal(await digest(path, undefined), undefined);
    writeFileSync(path, 'one');
    const first = await digest(path, undefined);
    assert.equal(await digest(path, first), first, 'not read again');
    utimesSync(path, 1, 1);
    assert.equal((await digest(path, first))?.hash, first?.hash);
    writeFileSync(path, 'two');
    assert.notEqual((await digest(path, first))?.hash, first?.hash);
    assert.equal(await digest(directory, undefined), undefined);
  }),
);

test(
  'the files of a directory, links not followed; none of a file, and of one that holds more than asked for',
  inDirectory(async (directory) => {
    const { below } = systemWorkspace;
    mkdirSync(join(directory, 'a b', 'ü'), { recursive: true });
    const files = ['a b/one', 'a b/ü/two'].map((path) => join(directory, path));
    for (const path of files) writeFileSync(path, '');
    symlinkSync(directory, join(directory, 'a b', 'round'));
    assert.deepEqual((await below(join(directory, 'a b'), 8))?.toSorted(), files);
    assert.equal(await below(join(directory, 'a b'), 3), undefined);
    assert.equal(await below(files[0] ?? '', 8), undefined);
    assert.equal(await below(join(directory, 'none'), 8), undefined);
  }),
);

test(
  'checkouts and their worktrees, and what is not committed',
  inDirectory(async (directory) => {
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', directory, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
        stdio: 'pipe',
      });
    const { checkout, uncommitted } = systemWorkspace;
    assert.equal(await checkout('/'), undefined);
    git('init', '-q', '-b', 'main');
    writeFileSync(join(directory, 'a b'), '1');
    git('add', '.');
    git('commit', '-qm', 'x');
    git('worktree', 'add', '-q', '-b', 'side', join(directory, 'side'));
    const main = { root: directory, gitDir: join(directory, '.git'), commonDir: join(directory, '.git') };
    mkdirSync(join(directory, 'sub'));
    assert.deepEqual(await checkout(join(directory, 'sub')), { ...main, branch: 'refs/heads/main' });
    assert.deepEqual(await checkout(join(directory, 'side')), {
      root: join(directory, 'side'),
      gitDir: join(directory, '.git/worktrees/side'),
      commonDir: join(directory, '.git'),
      branch: 'refs/heads/side',
    });
    writeFileSync(join(directory, 'a b'), '2');
    writeFileSync(join(directory, 'sub/new'), '3');
    const dirty = await uncommitted(directory);
    assert.deepEqual(
      dirty.filter(({ path }) => !path.includes('/side')),
      [
        { path: join(directory, 'a b'), tracked: true },
        { path: join(directory, 'sub/new'), tracked: false },
      ],
    );
    assert.deepEqual(await uncommitted('/'), []);
  }),
);

test('a port is taken while a server listens on it', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  assert.equal(await systemWorkspace.isListening(port), true);
  await new Promise((resolve) => server.close(resolve));
  assert.equal(await systemWorkspace.isListening(port), false);
});

test(
  'what a process serves is known by its number, by that of whoever started it, and by its name as pgrep finds it',
  { skip: process.platform !== 'linux' && 'only /proc tells' },
  inDirectory(async (directory) => {
    const { portsOf } = systemWorkspace;
    const mark = `mark${process.pid}`;
    const script = `const s = require('net').createServer().listen(0, '127.0.0.1', () => console.log(process.pid, s.address().port))`;
    const shell = spawn('sh', ['-c', `"$0" -e "$1" ${mark}; true`, process.execPath, script], {
      cwd: directory,
    });
    try {
      const [said] = (await once(shell.stdout, 'data')) as [Buffer];
      const [pid = 0, port = 0] = said.toString().trim().split(' ').map(Number);
      assert.deepEqual(await portsOf({ pids: [pid] }), [port]);
      assert.deepEqual(await portsOf({ pids: [shell.pid ?? 0] }), [port]);
      assert.deepEqual(await portsOf({ like: ['-f', '--', mark] }), [port]);
      assert.deepEqual(await portsOf({ like: ['--', 'no such program'] }), []);
      process.kill(pid);
    } finally {
      shell.kill();
      await once(shell, 'close');
    }
  }),
);
