/** The processes of tool servers, through the kernel: whose they are, and when they end. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Launch } from '../src/base/control.ts';
import type { Config } from '../src/config/config.ts';
import { readKeys } from '../src/config/keys.ts';
import { readConfig } from '../src/config/read.ts';
import { configText, send, startKernel } from './kernel.ts';
import { KernelProcess } from './killing.ts';

const SERVER = join(import.meta.dirname, 'upstream/toolserver.ts');
const OFFERS = ['die', 'count'].map((name) => ({ name, inputSchema: { type: 'object' } }));

/** The settings of a server that is one process for each agent, one at a time or for all. */
function settingsOf(directory: string, box: object): string {
  const [offers, done] = [join(directory, 'offers.json'), join(directory, 'done.txt')];
  writeFileSync(offers, JSON.stringify(OFFERS));
  writeFileSync(done, '');
  const command = [process.execPath, SERVER, offers, done];
  return `tools: ${JSON.stringify({ box: { command, ...box } })}`;
}

async function withKernel(
  box: object,
  work: (room: Awaited<ReturnType<typeof openRoom>>) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-servers-'));
  const room = await openRoom(directory, box);
  try {
    await work(room);
  } finally {
    await room.kernel.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function openRoom(directory: string, box: object) {
  const kernel = await startKernel(undefined, settingsOf(directory, box));
  const { control } = kernel;
  return {
    kernel,
    control,
    call: async (agent: Launch, name: string, input: object = {}) => {
      const params = { name, arguments: input };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
      const reply = await send(`${agent.origin}/a/${agent.token}/mcp`, body);
      return reply.body.toString();
    },
    instances: async () => (await control.call('tool.servers', {})).servers[0]?.instances ?? [],
  };
}

/** Looks until it holds; the test's own time limit ends it. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

test('per-agent: each agent has a process of its own, which ends with it and with nobody else', () =>
  withKernel({ instance: 'per-agent' }, async ({ kernel, control, call, instances }) => {
    const [ann, bob] = [await kernel.agent('ann'), await kernel.agent('bob')];
    for (const agent of [ann, bob, ann]) assert.match(await call(agent, 'box__count'), /did count/);
    const both = await instances();
    assert.deepEqual(both.map(({ agent }) => agent).sort(), [ann.pid, bob.pid].sort());
    const pids = both.map(({ osPid }) => osPid ?? 0);
    assert.equal(new Set(pids).size, 2);
    await control.call('agent.exited', { agent: 'ann', exitCode: 0, signal: null });
    await until(async () => (await instances()).length === 1);
    assert.deepEqual(
      (await instances()).map(({ agent }) => agent),
      [bob.pid],
    );
    const gone = both.find(({ agent }) => agent === ann.pid)?.osPid ?? 0;
    await until(() => !isThere(gone));
    assert.match(await call(bob, 'box__count'), /did count/);
  }));

test('leased: one agent at a time; who else asks is told who has it; a pause gives it up, and the next gets a process of its own', () =>
  withKernel({ instance: 'leased' }, async ({ kernel, control, call, instances }) => {
    const [ann, bob] = [await kernel.agent('ann'), await kernel.agent('bob')];
    assert.match(await call(ann, 'box__count'), /did count/);
    assert.match(await call(bob, 'box__count'), new RegExp(`ann \\(${ann.pid}\\) has box to itself`));
    const [first] = await instances();
    await control.call('signal', { agent: 'ann', signal: 'pause' });
    assert.match(await call(bob, 'box__count'), /did count/);
    const [second] = await instances();
    assert.equal(second?.agent, bob.pid);
    assert.ok((second?.fence ?? 0) > (first?.fence ?? 0));
    assert.notEqual(second?.osPid, first?.osPid);
  }));

test('a server that nobody asks ends, and starts again when it is asked', () =>
  withKernel({ idle: '1s' }, async ({ kernel, call, instances }) => {
    const ann = await kernel.agent('ann');
    assert.match(await call(ann, 'box__count'), /did count/);
    assert.equal((await instances()).length, 1);
    await until(async () => (await instances()).length === 0);
    assert.match(await call(ann, 'box__count'), /did count/);
  }));

test('a server that ends again and again is started after a pause, and its agents are told', () =>
  withKernel({}, async ({ kernel, call }) => {
    const ann = await kernel.agent('ann');
    for (const n of [1, 2]) assert.match(await call(ann, 'box__die', { n }), /ended while die ran/);
    assert.match(await call(ann, 'box__count'), /box ended, or said nothing, 2 times in a row/);
    await until(async () => /did count/.test(await call(ann, 'box__count')));
  }));

test('why a server offers nothing is told beside it, and that it is there by its address', async () => {
  const url = 'http://127.0.0.1:9/mcp';
  const tools = { gone: { command: ['/no/such/program'] }, remote: { url } };
  const kernel = await startKernel(undefined, `tools: ${JSON.stringify(tools)}`);
  try {
    const seen = async () =>
      (await kernel.control.call('tool.servers', {})).servers.map(({ address, problem }) => [
        address,
        problem,
      ]);
    assert.deepEqual(
      await seen(),
      [null, url, null].map((address) => [address, null]),
    );
    await kernel.control.call('tools', {});
    assert.deepEqual(await seen(), [
      [null, 'The tool server gone does not start: spawn /no/such/program ENOENT'],
      [url, `The tool server remote at ${url} does not answer: it takes no connection`],
      [null, null],
    ]);
  } finally {
    await kernel.close();
  }
});

test('a secret of a tool server is read from its place, reaches the server, and is no part of the settings', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-servers-'));
  const [key, seen, absent] = ['box.key', 'seen.txt', 'no.key'].map((name) => join(directory, name));
  writeFileSync(key as string, 'tool-secret-1\n', { mode: 0o600 });
  const script = 'env | grep ^BOX_ | sort > "$0"; exec "$@"';
  const box = JSON.parse(settingsOf(directory, {}).slice('tools: '.length)).box;
  const command = ['sh', '-c', script, seen, ...box.command];
  const env = { BOX_TOKEN: { file: key }, BOX_MODE: 'plain', BOX_NONE: { env: 'MEZZ_TEST_NOT_SET' } };
  const kernel = await startKernel(undefined, `tools: ${JSON.stringify({ box: { command, env } })}`);
  try {
    const { tools } = await kernel.control.call('tools', {});
    assert.ok(tools.some(({ name }) => name === 'box__count'));
    assert.equal(readFileSync(seen as string, 'utf8'), 'BOX_MODE=plain\nBOX_TOKEN=tool-secret-1\n');
    const shown = JSON.stringify([
      await kernel.control.call('config', {}),
      await kernel.control.call('tool.servers', {}),
    ]);
    assert.ok(shown.includes(key as string) && !shown.includes('tool-secret-1'));
    const wrong = (value: object) => `tools: ${JSON.stringify({ box: { command, env: { A: value } } })}`;
    for (const value of [{}, { env: 'lower' }, { value: 'x' }, { env: 'A', file: 'b' }])
      assert.equal(readConfig('mezz.yaml', wrong(value), directory, directory).problems.length > 0, true);
    const unreadable = readConfig('mezz.yaml', wrong({ file: absent }), directory, directory).config;
    assert.match(readKeys(unreadable as Config, {}).problems[0]?.at ?? '', /^tools\.box\.env\.A$/);
  } finally {
    await kernel.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

test('kill -9 of the kernel leaves nothing of a tool server behind, also what it started itself', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'mezz-servers-'));
  const kernel = new KernelProcess(stateDir);
  try {
    const pidFile = join(stateDir, 'pids');
    const [offers, done] = [join(stateDir, 'offers.json'), join(stateDir, 'done.txt')];
    settingsOf(stateDir, {});
    // It ends neither with its input nor when it is asked to, and has started another.
    const script = `trap '' TERM; sleep 1000 </dev/null >/dev/null 2>&1 & echo $$ $! >${pidFile}; "$@"; sleep 1000`;
    const command = ['/bin/sh', '-c', script, 'sh', process.execPath, SERVER, offers, done];
    const text = configText('http://127.0.0.1:9', `tools: ${JSON.stringify({ box: { command } })}`);
    writeFileSync(join(stateDir, 'mezz.yaml'), text, { mode: 0o600 });
    await kernel.up();
    await kernel.control.call('tools', {});
    assert.ok(existsSync(pidFile));
    const pids = readFileSync(pidFile, 'utf8').trim().split(' ').map(Number);
    assert.deepEqual(pids.map(isThere), [true, true]);
    kernel.end();
    await until(() => !pids.some(isThere));
  } finally {
    kernel.end();
    rmSync(stateDir, { recursive: true, force: true });
  }
});
