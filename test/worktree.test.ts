/** `mezz run --worktree`, diff, merge and discard: real git, a real kernel, the command in a process of its own. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, afterEach, before, beforeEach, describe } from 'node:test';
import { startMezz } from '../src/cli/fixture.test.ts';
import { startKernel, type TestKernel } from './kernel.ts';

describe('worktrees', () => {
  let kernel: TestKernel;
  let place: string;
  let repo: string;
  let env: Record<string, string>;
  before(async () => {
    kernel = await startKernel();
  });
  after(() => kernel.close());
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'mezz-worktree-'));
    const config = join(place, 'gitconfig');
    writeFileSync(config, '[user]\nname = U\nemail = u@example.com\n[init]\ndefaultBranch = main\n');
    env = { GIT_CONFIG_GLOBAL: config, GIT_CONFIG_NOSYSTEM: '1' };
    repo = join(place, 'shop');
    mkdirSync(join(repo, 'src'), { recursive: true });
    writeFileSync(join(repo, 'a.txt'), 'one\ntwo\nthree\n');
    writeFileSync(join(repo, 'src', 'b.txt'), 'b\n');
    writeFileSync(join(repo, '.gitignore'), 'ignored\n');
    git('init', '--quiet');
    git('add', '--all');
    git('commit', '--quiet', '-m', 'first');
  });
  afterEach(async () => {
    // A name belongs to an agent until its worktree is gone: the next test starts with none.
    for (const agent of (await kernel.control.call('ps', { all: true })).agents)
      if (agent.worktree)
        await kernel.control.call('agent.worktree', { agent: `${agent.pid}`, worktree: null });
    rmSync(place, { recursive: true, force: true });
    rmSync(join(kernel.stateDir, 'worktrees'), { recursive: true, force: true });
  });

  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: repo, env: { ...process.env, ...env }, encoding: 'utf8' }).trim();
  const mezz = (...argv: string[]) => startMezz(kernel.stateDir, argv, env, repo).ended;
  const agentOf = async (name: string) => (await kernel.control.call('agent.show', { agent: name })).agent;
  /** Runs a shell script as the agent `name` in a worktree, and answers where that is. */
  const work = async (name: string, script: string) => {
    const ran = await mezz('run', '--worktree', '--name', name, '--', 'sh', '-c', script);
    assert.equal(ran.code, 0, ran.err);
    return { ...ran, worktree: (await agentOf(name)).worktree ?? '' };
  };
  const COMMIT = 'git add -A && git commit -q -m';

  test('an agent works on a branch of its own, outside the checkout; an untouched worktree is removed', async () => {
    const { out, err } = await work('calm', 'git branch --show-current; pwd; cat a.txt; touch ignored');
    const [branch, directory = '', ...file] = out.trim().split('\n');
    assert.deepEqual([branch, file], ['mezz/calm', ['one', 'two', 'three']]);
    assert.ok(directory.startsWith(join(kernel.stateDir, 'worktrees', 'shop-')));
    assert.match(err, /calm changed nothing; its worktree is removed/);
    assert.equal(existsSync(directory), false);
    assert.equal(git('branch', '--list', 'mezz/*'), '');
    assert.equal((await agentOf('calm')).worktree, null);
  });

  test('changes are kept, and the three next commands are said', async () => {
    writeFileSync(join(repo, 'a.txt'), 'mine\n');
    const { err, worktree } = await work('fix', `${COMMIT} x --allow-empty; echo new > new.txt`);
    assert.match(err, /your uncommitted changes \(1 file\) are not in the worktree/);
    assert.match(
      err,
      /fix left commits and uncommitted changes in 1 file.*\nNext: mezz diff fix\n {6}mezz merge fix\n {6}mezz discard fix\n/,
    );
    assert.equal(readFileSync(join(worktree, 'a.txt'), 'utf8'), 'one\ntwo\nthree\n');
    assert.equal(readFileSync(join(repo, 'a.txt'), 'utf8'), 'mine\n');
    assert.equal(existsSync(join(repo, 'new.txt')), false);
  });

  test('--count gives each its own; a program starts in the same folder', async () => {
    const run = startMezz(
      kernel.stateDir,
      ['run', '--worktree', '--count', '3', '--', 'sh', '-c', 'pwd; echo $$ > who'],
      env,
      join(repo, 'src'),
    );
    const { code, out } = await run.ended;
    assert.equal(code, 0);
    const directories = out
      .trim()
      .split('\n')
      .map((line) => line.replace(/^\[[^\]]*\] /, ''));
    assert.equal(new Set(directories).size, 3);
    assert.ok(directories.every((directory) => directory.endsWith('/src')));
    assert.equal(git('branch', '--list', 'mezz/*').split('\n').length, 3);
  });

  test('--detach works in a worktree too, and its end says what is left', async () => {
    const script = 'echo n > new.txt; git branch --show-current';
    const { code, out } = await mezz(
      'run',
      '-d',
      '--json',
      '--worktree',
      '--name',
      'far',
      '--',
      'sh',
      '-c',
      script,
    );
    assert.equal(code, 0);
    while ((await agentOf('far')).state !== 'exited') await new Promise((resolve) => setTimeout(resolve, 20));
    const { log } = JSON.parse(out) as { log: string };
    while (!/mezz discard far/.test(readFileSync(log, 'utf8')))
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.match(readFileSync(log, 'utf8'), /^mezz\/far$/m);
    assert.equal((await mezz('diff', 'far', '--name-only')).out, 'new.txt\n');
  });

  for (const [what, prepare, expected, next] of [
    [
      'no repository',
      () => rmSync(join(repo, '.git'), { recursive: true }),
      /is in no git repository/,
      /git init/,
    ],
    ['a detached HEAD', () => git('checkout', '--quiet', '--detach'), /detached HEAD/, /git switch/],
    ['no commits', () => git('update-ref', '-d', 'HEAD'), /no commit yet/, /git commit/],
    [
      'a bare repository',
      () => {
        const bare = join(place, 'bare.git');
        git('clone', '--quiet', '--bare', repo, bare);
        repo = bare;
      },
      /bare repository/,
      /git worktree add/,
    ],
    [
      'submodules',
      () => {
        writeFileSync(join(repo, '.gitmodules'), '');
        git('add', '--all');
        git('commit', '--quiet', '-m', 'modules');
      },
      /has submodules/,
      /without --worktree/,
    ],
    ['a taken branch', () => git('branch', 'mezz/fix'), /the branch mezz\/fix exists already/, /--name/],
    ['a name git refuses', () => git('config', 'x.y', 'z'), /git allows no branch/, /--name/],
  ] as const)
    test(`refused with what to do: ${what}`, async () => {
      prepare();
      const name = what === 'a name git refuses' ? 'a..b' : 'fix';
      const { code, err } = await mezz(
        'run',
        '--worktree',
        '--name',
        name,
        '--',
        'touch',
        join(place, 'ran'),
      );
      assert.notEqual(code, 0);
      assert.match(err, expected);
      assert.match(err.split('Next: ')[1] ?? '', next);
      assert.equal(existsSync(join(place, 'ran')), false);
      const { agents } = await kernel.control.call('ps', {});
      assert.deepEqual(
        agents.map((agent) => agent.name),
        [],
      );
    });

  test("refused in an agent's own worktree, whatever GIT_DIR says", async () => {
    const script = `"$MEZZ_NODE" "$MEZZ_BIN" run --worktree -- true; echo "exit $?"`;
    const [node = '', bin = ''] = [process.execPath, new URL('../bin/mezz.js', import.meta.url).pathname];
    env = { ...env, MEZZ_NODE: node, MEZZ_BIN: bin, GIT_DIR: join(place, 'elsewhere') };
    const { out, err } = await startMezz(
      kernel.stateDir,
      ['run', '--worktree', '--', 'sh', '-c', script],
      env,
      repo,
    ).ended;
    assert.match(out, /exit 1/);
    assert.match(err, /is an agent's own worktree/);
  });

  test('diff shows commits, uncommitted changes and untracked files, and no files of git ignored', async () => {
    const script = `echo c > c.txt; ${COMMIT} c; echo ONE > a.txt; echo n > new.txt; rm src/b.txt; touch ignored`;
    await work('fix', script);
    const names = await mezz('diff', 'fix', '--name-only');
    assert.deepEqual(names.out.trim().split('\n'), ['a.txt', 'c.txt', 'new.txt', 'src/b.txt']);
    assert.match(names.err, /fix: 1 commit and 3 uncommitted files since [0-9a-f]{12}$/m);
    assert.match((await mezz('diff', 'fix', '--stat')).out, /4 files changed/);
    assert.match((await mezz('diff', 'fix', '--', 'new.txt')).out, /^\+n$/m);
    const json = JSON.parse((await mezz('diff', 'fix', '--json')).out);
    assert.equal(json.schema, 'mezz.diff/1');
    assert.deepEqual(
      json.files.map((file: { path: string }) => file.path),
      ['a.txt', 'c.txt', 'new.txt', 'src/b.txt'],
    );
    assert.deepEqual([json.commits.length, json.uncommitted, json.running], [1, 3, false]);
  });

  test("what the agent took in from the user's branch is not its own change", async () => {
    const script = 'echo c > c.txt; git add -A; git commit -q -m c; git merge -q --no-edit main';
    const run = startMezz(
      kernel.stateDir,
      [
        'run',
        '--worktree',
        '--name',
        'fix',
        '--',
        'sh',
        '-c',
        `while [ ! -e ${place}/go ]; do sleep 0.05; done; ${script}`,
      ],
      env,
      repo,
    );
    while ((await kernel.control.call('ps', {})).agents.every((agent) => agent.osPid === null))
      await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(join(repo, 'user.txt'), 'u\n');
    git('add', '--all');
    git('commit', '--quiet', '-m', 'mine');
    writeFileSync(join(place, 'go'), '');
    assert.equal((await run.ended).code, 0);
    assert.equal((await mezz('diff', 'fix', '--name-only')).out, 'c.txt\n');
  });

  test('merge commits what is left, runs the hooks of the user, and discard then asks nothing', async () => {
    const { worktree } = await work('fix', `echo c > c.txt; ${COMMIT} c; echo n > new.txt`);
    const hook = join(repo, '.git', 'hooks', 'pre-commit');
    writeFileSync(hook, `#!/bin/sh\necho said no >&2\ntest -e ${place}/allowed\n`);
    chmodSync(hook, 0o755);
    const refused = await mezz('merge', 'fix');
    assert.equal(refused.code, 1);
    assert.match(refused.err, /said no\nNext: mend it in .*; nothing was merged/);
    assert.equal(git('log', '--format=%s'), 'first');
    writeFileSync(join(place, 'allowed'), '');
    const merged = await mezz('merge', 'fix', '--message', 'The fix');
    assert.match(merged.out, /^2 commits of fix are in main: [0-9a-f]{12}$/m);
    assert.equal(readFileSync(join(repo, 'new.txt'), 'utf8'), 'n\n');
    assert.equal(git('log', '--format=%s', '--first-parent'), 'The fix\nfirst');
    assert.match((await mezz('merge', 'fix')).out, /main has all of fix's work/);
    assert.equal((await mezz('discard', 'fix')).code, 0);
    assert.equal(existsSync(worktree), false);
    assert.equal(git('branch', '--list', 'mezz/*'), '');
    assert.equal((await mezz('diff', 'fix')).code, 3);
  });

  test('merge --squash is one commit, and its worktree can go too', async () => {
    await work('fix', `echo c > c.txt; ${COMMIT} one; echo d > d.txt; ${COMMIT} two; echo e > e.txt`);
    const { code, out } = await mezz('merge', 'fix', '--squash', '--json');
    assert.deepEqual([code, JSON.parse(out).state, JSON.parse(out).commits], [0, 'merged', 3]);
    assert.equal(git('log', '--format=%s'), 'Work of fix\nfirst');
    assert.match(git('log', '-1', '--format=%b'), /^- one\n- two\n- Work of fix$/);
    assert.equal((await mezz('discard', 'fix')).code, 0);
  });

  for (const how of [[], ['--squash']])
    test(`a conflict stays in place with instructions, and --abort undoes it: merge ${how}`, async () => {
      await work('fix', 'echo theirs > a.txt');
      writeFileSync(join(repo, 'a.txt'), 'ours\n');
      git('commit', '--quiet', '-a', '-m', 'ours');
      assert.equal((await mezz('merge', 'fix', '--abort')).code, 1);
      const { code, out, err } = await mezz('merge', 'fix', ...how);
      assert.equal(code, 1);
      assert.equal(out, 'conflict: a.txt\n');
      assert.match(
        err,
        /Next: mend the files, git add them, git commit\n {6}or give up: mezz merge fix --abort/,
      );
      assert.match(readFileSync(join(repo, 'a.txt'), 'utf8'), /<<<<<<<.*ours.*theirs/s);
      assert.equal((await mezz('merge', 'fix')).code, 1, 'a second merge over it is refused');
      assert.equal((await mezz('merge', 'fix', '--abort')).code, 0);
      assert.equal(readFileSync(join(repo, 'a.txt'), 'utf8'), 'ours\n');
      assert.equal(git('status', '--porcelain'), '');
      assert.match((await mezz('diff', 'fix')).out, /^\+theirs$/m);
    });

  test('merge refuses a dirty checkout, and an untracked file in the way, and loses nothing', async () => {
    await work('fix', 'echo theirs > new.txt');
    writeFileSync(join(repo, 'a.txt'), 'mine\n');
    const dirty = await mezz('merge', 'fix');
    assert.equal(dirty.code, 1);
    assert.match(dirty.err, /has uncommitted changes in 1 file\nNext: git commit or git stash/);
    git('checkout', '--quiet', '--', 'a.txt');
    writeFileSync(join(repo, 'new.txt'), 'mine\n');
    const blocked = await mezz('merge', 'fix');
    assert.equal(blocked.code, 1);
    assert.match(blocked.err, /new\.txt/);
    assert.equal(readFileSync(join(repo, 'new.txt'), 'utf8'), 'mine\n');
  });

  test('discard refuses to lose work, and with --force says how to get it back', async () => {
    const { worktree } = await work('fix', `echo c > c.txt; ${COMMIT} c; echo n > new.txt`);
    const refused = await mezz('discard', 'fix');
    assert.equal(refused.code, 2);
    assert.match(refused.err, /1 commit and 1 uncommitted file of fix are nowhere else/);
    assert.ok(existsSync(worktree));
    const { code, err } = await mezz('discard', 'fix', '--force');
    assert.equal(code, 0);
    assert.equal(existsSync(worktree), false);
    const back = /git branch fix ([0-9a-f]+)/.exec(err)?.[1] ?? '';
    git('branch', 'fix', back);
    assert.equal(git('show', 'fix:new.txt'), 'n');
    assert.equal(git('show', 'fix:c.txt'), 'c');
  });

  test('a repository inside the worktree is not merged away', async () => {
    await work('fix', 'git init -q inner; cd inner; echo i > i.txt; git add -A; git commit -q -m i');
    const { code, err } = await mezz('merge', 'fix');
    assert.equal(code, 1);
    assert.match(err, /made git repositories inside its worktree \(inner\)/);
  });

  test('while the agent runs: diff as it stands, merge takes its commits alone, discard is refused', async () => {
    const wait = (file: string) => `while [ ! -e ${place}/${file} ]; do sleep 0.05; done`;
    const script = `echo c > c.txt; ${COMMIT} c; echo n > new.txt; touch ${place}/1; ${wait('2')}; rm new.txt; touch ${place}/3; ${wait('4')}`;
    const run = startMezz(
      kernel.stateDir,
      ['run', '--worktree', '--name', 'fix', '--', 'sh', '-c', script],
      env,
      repo,
    );
    const until = async (file: string) => {
      while (!existsSync(join(place, file))) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await until('1');
    const shown = await mezz('diff', 'fix', '--name-only');
    assert.equal(shown.out, 'c.txt\nnew.txt\n');
    assert.match(shown.err, /it still runs/);
    const refused = await mezz('merge', 'fix');
    assert.equal(refused.code, 1);
    assert.match(refused.err, /still runs and has uncommitted changes in 1 file\nNext: ask it to commit/);
    writeFileSync(join(place, '2'), '');
    await until('3');
    assert.equal((await mezz('merge', 'fix')).code, 0);
    assert.equal(git('log', '--format=%s'), 'c\nfirst');
    assert.match(
      (await mezz('discard', 'fix', '--force')).err,
      /still runs in its worktree\nNext: mezz kill fix/,
    );
    writeFileSync(join(place, '4'), '');
    assert.equal((await run.ended).code, 0);
  });

  test('a name stays taken while its worktree is there, and a deleted worktree can be forgotten', async () => {
    const { worktree } = await work('fix', `echo c > c.txt; ${COMMIT} c`);
    assert.match((await mezz('run', '--worktree', '--name', 'fix', '--', 'true')).err, /exists already/);
    assert.equal((await kernel.agent('fix')).name, 'fix-2');
    await kernel.control.call('agent.exited', { agent: 'fix-2', exitCode: 0, signal: null });
    rmSync(worktree, { recursive: true });
    const gone = await mezz('discard', 'fix');
    assert.match(gone.err, /fix's worktree is gone.*\nNext: .*mezz discard fix --force/);
    const { code, err } = await mezz('discard', 'fix', '--force');
    assert.equal(code, 0);
    assert.match(err, /git branch fix [0-9a-f]{12}/);
    assert.equal((await kernel.agent('fix')).name, 'fix');
    await kernel.control.call('agent.exited', { agent: 'fix', exitCode: 0, signal: null });
  });
});
