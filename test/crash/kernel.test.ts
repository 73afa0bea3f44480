/** A whole kernel whose disk, files or process fail: a clear end, the next step to type, and nothing acknowledged lost. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Launch } from '../../src/base/control.ts';
import { TABLES } from '../../src/db/schema/index.ts';
import { CALL } from '../../src/db/schema/journal.ts';
import { openSqliteStore } from '../../src/db/sqlite/store.ts';
import { ControlClient } from '../../src/sdk/client.ts';
import { configText, type Reply, send, startKernel } from '../kernel.ts';
import { startUpstream, type Upstream } from '../upstream/upstream.ts';

const MEZZ = fileURLToPath(new URL('../../bin/mezz.js', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'mezz-fail-'));
const children = new Set<ChildProcess>();
const mounts: string[] = [];
let upstream: Upstream | undefined;
after(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const mount of mounts) spawnSync('umount', [mount]);
  await upstream?.close();
  rmSync(root, { recursive: true, force: true });
});

interface Process {
  readonly stateDir: string;
  readonly control: ControlClient;
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; err: string }>;
}

/** `mezz up --foreground` in a process of its own; `wrap` runs it under something. */
async function start(stateDir: string, wrap: readonly string[] = []): Promise<Process> {
  upstream ??= await startUpstream(() => ({ text: 'Hello.' }));
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const config = join(root, 'mezz.yaml');
  writeFileSync(config, configText(upstream.origin));
  const command = [
    process.execPath,
    MEZZ,
    'up',
    '--foreground',
    '--no-try',
    '--port',
    '0',
    '--config',
    config,
  ];
  const [program = '', ...args] = [...wrap, ...command];
  const env = { ...process.env, MEZZ_HOME: stateDir };
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  let err = '';
  child.stderr?.on('data', (part) => {
    err += part;
  });
  child.stdout?.resume();
  const ended = new Promise<{ code: number | null; err: string }>((resolve) =>
    child.once('close', (code) => {
      children.delete(child);
      resolve({ code, err });
    }),
  );
  const control = new ControlClient(stateDir);
  let alive = true;
  void ended.then(() => {
    alive = false;
  });
  while (alive && !(await control.isUp())) await sleep(20);
  return { stateDir, control, child, ended };
}

async function agentOf({ control }: Process): Promise<Launch> {
  const request = { name: 'tester', client: 'generic', cwd: '/', hooks: false };
  return (await control.call('agent.open', request)).launches[0] as Launch;
}

const say = (agent: Launch, text: string): Promise<Reply | undefined> =>
  send(
    `${agent.origin}/v1/messages`,
    JSON.stringify({ model: 'claude-x', max_tokens: 100, messages: [{ role: 'user', content: text }] }),
    { 'x-mezz-key': agent.token },
  ).catch(() => undefined);

/** Calls with big bodies until one is not answered with success; the ids of those that were. */
async function talkUntilFailure(agent: Launch): Promise<{ done: string[]; failed: Reply | undefined }> {
  const done: string[] = [];
  for (;;) {
    const reply = await say(agent, `${done.length} ${'x'.repeat(200_000)}`);
    if (reply?.status !== 200) return { done, failed: reply };
    done.push(String(reply.headers['x-mezz-call']));
  }
}

/** Every answered call has its END, and the store is sound. */
async function holds(stateDir: string, done: readonly string[]): Promise<void> {
  const store = await openSqliteStore({ directory: stateDir, tables: TABLES });
  for (const id of done) assert.equal((await store.get(CALL, [id]))?.state, 'done', id);
  assert.deepEqual(await store.check(), []);
  await store.close();
}

const eventsOf = (err: string) =>
  err
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('a disk that takes no more', () => {
  test('by a limit on file sizes: the kernel ends and says why, no answer that left is missing', async () => {
    const wrap = ['/bin/sh', '-c', 'ulimit -f 6000; exec "$@"', 'sh'];
    const kernel = await start(join(root, 'limited'), wrap);
    const { done, failed } = await talkUntilFailure(await agentOf(kernel));
    assert.ok(done.length > 0);
    assert.notEqual(failed?.status, 200);
    const { code, err } = await kernel.ended;
    assert.equal(code, 1);
    const event = eventsOf(err).find((line) => line.event === 'store.failed');
    assert.match(String(event?.message), /limit on file sizes/);
    assert.match(String(event?.remedy), /mezz up/);
    await holds(kernel.stateDir, done);
    const again = await start(kernel.stateDir);
    assert.deepEqual((await again.control.call('audit.verify', {})).problems, []);
    assert.deepEqual((await again.control.call('fsck', {})).problems, []);
    again.child.kill('SIGTERM');
    assert.equal((await again.ended).code, 0);
  });

  test('by a small disk: new calls are refused before it is full, and status and doctor say so', async (t) => {
    const mount = join(root, 'small');
    mkdirSync(mount);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=80m', 'tmpfs', mount]).status !== 0)
      return t.skip('SKIPPED: a small file system cannot be mounted here');
    mounts.push(mount);
    const kernel = await start(join(mount, 'state'));
    const agent = await agentOf(kernel);
    const { warnings } = await kernel.control.call('status', {});
    assert.ok(
      warnings.some((line) => /only \d+ MB are free/.test(line)),
      String(warnings),
    );
    const { done, failed } = await talkUntilFailure(agent);
    assert.equal(failed?.status, 503);
    assert.match(failed.body.toString(), /disk is almost full.*mezz gc/s);
    const { findings } = await kernel.control.call('doctor', {});
    assert.equal(findings.find(({ id }) => id === 'disk')?.level, 'fail');
    kernel.child.kill('SIGTERM');
    assert.equal((await kernel.ended).code, 0, 'the kernel itself goes on, and ends in order');
    await holds(kernel.stateDir, done);
  });

  test('what runs is booked while new calls are refused', async () => {
    let free = 2e9;
    let answer = () => {};
    const hold = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const script = ({ body }: { body: Buffer }) =>
      body.includes('slow') ? { text: 'Hi.', hold } : { text: 'Hi.' };
    const kernel = await startKernel(script, '', { diskFree: () => free });
    try {
      const agent = await kernel.agent();
      const running = say(agent, 'slow');
      while (kernel.upstream.requests.length === 0) await sleep(5);
      // The disk is looked at now and then: calls pass until it is, and not one after.
      free = 1e6;
      let passed = 1;
      // Each its own: the very same call again and again would be asked about.
      let asked = 0;
      const quick = () => say(agent, `quick ${asked++}`);
      let reply = await quick();
      for (; reply?.status === 200; passed++) reply = await quick();
      assert.equal(reply?.status, 503);
      answer();
      assert.equal((await running)?.status, 200);
      free = 2e9;
      while (reply?.status === 503) reply = await quick();
      assert.equal(reply?.status, 200);
      const { calls } = await kernel.control.call('calls', { limit: 1000 });
      assert.deepEqual(
        [calls.length, new Set(calls.map(({ state }) => state))],
        [passed + 1, new Set(['done'])],
      );
    } finally {
      await kernel.close();
    }
  });
});

describe('files that are not what they were', () => {
  /** A directory with a database of some hundred kilobytes that was closed in order. */
  async function grown(name: string): Promise<string> {
    const kernel = await start(join(root, name));
    const agent = await agentOf(kernel);
    for (let i = 0; i < 4; i++) assert.equal((await say(agent, `${i} ${'y'.repeat(50_000)}`))?.status, 200);
    kernel.child.kill('SIGTERM');
    assert.equal((await kernel.ended).code, 0);
    return kernel.stateDir;
  }
  const refusedStart = async (stateDir: string) => {
    const { code, err } = await (await start(stateDir)).ended;
    assert.equal(code, 1, err);
    assert.doesNotMatch(err, /\n\s+at /, 'no stack');
    assert.match(err, /mezz: .*\nNext: /);
    return err;
  };

  test('cut short, or overwritten from the front: refused with what to do', async () => {
    const cut = await grown('cut');
    truncateSync(join(cut, 'mezz.db'), Math.floor(statSync(join(cut, 'mezz.db')).size / 2));
    assert.match(await refusedStart(cut), /damaged.*\nNext: mezz restore/);
    const foreign = await grown('foreign');
    writeFileSync(
      join(foreign, 'mezz.db'),
      'this is no database, and longer than a header of one'.repeat(100),
    );
    assert.match(await refusedStart(foreign), /damaged.*\nNext: mezz restore/);
  });

  test('a page flipped in the middle is found by fsck, or the kernel ends rather than serve it', async () => {
    const directory = await grown('flipped');
    const path = join(directory, 'mezz.db');
    const file = openSync(path, 'r+');
    const middle = Math.floor(statSync(path).size / 8192) * 4096;
    for (let page = 0; page < 4; page++)
      writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, middle + page * 4096);
    closeSync(file);
    const kernel = await start(directory);
    if (kernel.child.exitCode === null) {
      const problems = await kernel.control.call('fsck', {}).then(
        (answer) => answer.problems,
        (error: Error) => [error.message],
      );
      assert.notDeepEqual(problems, []);
      kernel.child.kill('SIGTERM');
    }
    await kernel.ended;
  });

  test('a log of garbage holds nothing that was acknowledged: it is ignored', async () => {
    const directory = await grown('garbage');
    writeFileSync(join(directory, 'mezz.db-wal'), Buffer.alloc(100_000, 0x5a));
    const kernel = await start(directory);
    assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
    assert.equal((await kernel.control.call('calls', {})).calls.length, 4);
    kernel.child.kill('SIGTERM');
    assert.equal((await kernel.ended).code, 0);
  });

  test('the directory removed under a running kernel: it ends by itself and says why', async () => {
    const kernel = await start(join(root, 'removed'));
    const agent = await agentOf(kernel);
    assert.equal((await say(agent, 'one'))?.status, 200);
    rmSync(kernel.stateDir, { recursive: true });
    assert.notEqual((await say(agent, 'two'))?.status, 200, 'nothing is acknowledged that is not stored');
    const { code, err } = await kernel.ended;
    assert.equal(code, 1, err);
    const event = eventsOf(err).find((line) => line.event === 'store.failed');
    assert.match(String(event?.message), /removed|replaced/);
    assert.ok(!existsSync(kernel.stateDir), 'nothing is made anew');
  });
});

describe('the end of a kernel', () => {
  test('a second one on the same directory ends with what to type', async () => {
    const kernel = await start(join(root, 'one'));
    const second = spawnSync(process.execPath, [MEZZ, 'up', '--foreground', '--port', '0'], {
      env: { ...process.env, MEZZ_HOME: kernel.stateDir },
      encoding: 'utf8',
    });
    assert.equal(second.status, 1);
    assert.match(
      second.stderr,
      new RegExp(`another kernel \\(pid ${kernel.child.pid}\\).*\nNext: mezz status`),
    );
    kernel.child.kill('SIGTERM');
    assert.equal((await kernel.ended).code, 0);
  });

  for (const [how, stop] of [
    ['SIGTERM', (kernel: Process) => void kernel.child.kill('SIGTERM')],
    ['mezz down', (kernel: Process) => void kernel.control.call('down', { graceMs: 20_000 })],
  ] as const)
    test(`${how}: what runs ends and is booked, what comes is refused, the exit code is 0`, async () => {
      let answer = () => {};
      const hold = new Promise<void>((resolve) => {
        answer = resolve;
      });
      const slow = await startUpstream(() => ({ text: 'Late.', hold }));
      const stateDir = join(root, `drain-${how.replace(' ', '-')}`);
      const kernel = await start(stateDir);
      try {
        writeFileSync(join(root, 'mezz.yaml'), configText(slow.origin));
        await kernel.control.call('config.reload', {});
        const agent = await agentOf(kernel);
        const running = say(agent, 'one');
        while (slow.requests.length === 0) await sleep(5);
        stop(kernel);
        // A kernel that does not wait would have cut the call before the upstream answers.
        while (await kernel.control.isUp()) if ((await say(agent, 'new')) === undefined) break;
        assert.equal(kernel.child.exitCode, null, 'it waits');
        answer();
        const reply = await running;
        assert.equal(reply?.status, 200);
        assert.equal((await kernel.ended).code, 0);
        assert.equal(await say(agent, 'two'), undefined);
        await holds(stateDir, [String(reply.headers['x-mezz-call'])]);
      } finally {
        answer();
        await slow.close();
      }
    });
});
