/** The processes of agents: what ends with what, who notices, and what goes on when nobody looks. Real processes. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import type { AgentView } from '../src/base/control.ts';
import { startMezz } from '../src/cli/fixture.test.ts';
import { startKernel, type TestKernel } from './kernel.ts';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A process that has ended but was not waited for yet is not running. */
function isRunning(osPid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${osPid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

interface Started {
  readonly osPid: number;
  readonly child: ReturnType<typeof startMezz>['child'];
  readonly ended: ReturnType<typeof startMezz>['ended'];
  /** A file in the program's own directory. */
  file(name: string): string;
  appears(name: string): Promise<void>;
}

const SKIP = process.platform !== 'linux' && 'what runs is looked up in /proc';
const places: string[] = [];
let kernel: TestKernel;

/** Runs a script as an agent; answers when the kernel knows its process. */
async function start(name: string, script: string): Promise<Started> {
  const place = mkdtempSync(join(tmpdir(), 'mezz-processes-'));
  places.push(place);
  const run = startMezz(kernel.stateDir, ['run', '--name', name, '--', 'sh', '-c', `cd ${place}; ${script}`]);
  let osPid: number | null = null;
  while (osPid === null || osPid === run.child.pid) {
    const { agents } = await kernel.control.call('ps', { all: true });
    osPid = agents.find((agent) => agent.name === name)?.osPid ?? null;
    await sleep(20);
  }
  const file = (one: string) => join(place, one);
  const appears = async (one: string) => {
    while (!existsSync(file(one))) await sleep(20);
  };
  return { ...run, osPid, file, appears };
}

async function until(name: string, wanted: (agent: AgentView) => boolean): Promise<AgentView> {
  for (;;) {
    const { agent } = await kernel.control.call('agent.show', { agent: name });
    if (wanted(agent)) return agent;
    await sleep(50);
  }
}

const WAIT = 'while [ ! -e go ]; do sleep 0.05; done';
const readPid = (path: string) => Number(readFileSync(path, 'utf8'));
const HOSTED = { client: 'generic', cwd: '/', hooks: false, hosted: true };

before(async () => {
  kernel = await startKernel();
});
after(async () => {
  await kernel.close();
  for (const place of places) rmSync(place, { recursive: true, force: true });
});

test('after a restart of the kernel, agents whose program is there are ready, and those gone are exited', {
  skip: SKIP,
}, async () => {
  const stays = await start('stays', WAIT);
  const opened = { ...HOSTED, name: 'gone', osPid: stays.osPid, startTicks: 1 };
  await kernel.control.call('agent.open', opened);
  await kernel.restart();
  await until('gone', ({ state }) => state === 'exited');
  assert.equal((await until('stays', () => true)).state, 'ready');
  writeFileSync(stays.file('go'), '');
  assert.equal((await stays.ended).code, 0);
  assert.equal((await until('stays', () => true)).exitCode, 0);
});

describe('processes of agents', { skip: SKIP, concurrency: true }, () => {
  test('mezz run killed with -9: its program goes on as the agent, and the kernel notices its end', async () => {
    const { child, osPid, file } = await start('orphan', WAIT);
    child.kill('SIGKILL');
    // Looks and the grace: a kernel that took the runner for the program would have closed it by then.
    await sleep(9500);
    assert.ok(isRunning(osPid));
    assert.equal((await until('orphan', () => true)).state, 'ready');
    writeFileSync(file('go'), '');
    const agent = await until('orphan', ({ state }) => state === 'exited');
    assert.equal(agent.exitCode, null, 'nobody saw how it ended');
  });

  test('a runner killed before its program ran leaves no agent behind; a late ending is still taken', async () => {
    const gone = startMezz(kernel.stateDir, ['--version']);
    await gone.ended;
    await kernel.control.call('agent.open', { ...HOSTED, name: 'never', osPid: gone.child.pid as number });
    assert.equal((await until('never', ({ state }) => state === 'exited')).exitCode, null);
    await kernel.control.call('agent.exited', { agent: 'never', exitCode: 9, signal: null });
    assert.equal((await until('never', () => true)).exitCode, 9);
  });

  test('mezz kill ends the program and all it started, SIGTERM first; pause ends nothing', async () => {
    const deaf = `setsid sh -c 'trap "" TERM; echo $$ > part; mv part deaf; sleep 60'`;
    const run = await start('fix', `trap 'touch asked; exit 3' TERM; ${deaf} & ${WAIT}`);
    await run.appears('deaf');
    const osPids = [run.osPid, readPid(run.file('deaf'))];
    assert.equal((await startMezz(kernel.stateDir, ['pause', 'fix']).ended).code, 0);
    assert.equal((await startMezz(kernel.stateDir, ['kill', '--signal', 'TERM', 'fix']).ended).code, 0);
    assert.ok(osPids.every(isRunning));
    assert.equal((await startMezz(kernel.stateDir, ['kill', 'fix']).ended).code, 0);
    assert.deepEqual(osPids.filter(isRunning), []);
    assert.ok(existsSync(run.file('asked')));
    assert.equal((await run.ended).code, 3);
    assert.equal((await until('fix', () => true)).state, 'exited');
  });

  test('the kernel by itself ends the program of a killed agent, even one that ignores SIGTERM', async () => {
    const run = await start('stubborn', `trap '' TERM; touch ready; ${WAIT}`);
    await run.appears('ready');
    await kernel.control.call('signal', { agent: 'stubborn', signal: 'kill' });
    assert.equal((await run.ended).code, 137);
    assert.equal(isRunning(run.osPid), false);
  });

  test('what was started with another environment is found while the program runs, and ends with it', async () => {
    const run = await start(
      'tree',
      `env -i setsid sleep 60 >&- 2>&- & echo $! > part; mv part strange; ${WAIT}`,
    );
    await run.appears('strange');
    // Some looks of mezz run at what is below its program.
    await sleep(3200);
    writeFileSync(run.file('go'), '');
    const { code, err } = await run.ended;
    assert.equal(code, 0);
    assert.match(err, /ended a process that tree left running/);
    assert.equal(isRunning(readPid(run.file('strange'))), false);
  });
});
