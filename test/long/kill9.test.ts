/** kill -9 of a real kernel process at random points, under load: what was acknowledged is there, rows equal entries. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Launch } from '../../src/base/control.ts';
import { seededRandom } from '../../src/base/random.ts';
import { ControlClient } from '../../src/sdk/client.ts';
import { configText, send } from '../kernel.ts';
import { startUpstream } from '../upstream/upstream.ts';

const RUNS = Number(process.env.MEZZ_KILLS ?? 200);
const SEED = Number(process.env.MEZZ_SEED ?? Date.now() % 1_000_000);
const BIN = new URL('../../bin/mezz.js', import.meta.url).pathname;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function up(
  stateDir: string,
  control: ControlClient,
): Promise<{ child: ChildProcess; origin: string }> {
  const child = spawn(process.execPath, [BIN, 'up', '--foreground', '--port', '0'], {
    env: { ...process.env, MEZZ_HOME: stateDir },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (let i = 0; i < 1000; i++) {
    const status = await control.call('status', {}).catch(() => undefined);
    if (status !== undefined && status.pid === child.pid) return { child, origin: status.origin };
    await sleep(10);
  }
  throw new Error('the kernel did not start');
}

test(`${RUNS} kills (seed ${SEED})`, async (t) => {
  const random = seededRandom(SEED);
  const upstream = await startUpstream(() => ({ text: 'Some words to stream.', chunkBytes: 60 }));
  const stateDir = mkdtempSync(join(tmpdir(), 'mezz-kill-'));
  writeFileSync(join(stateDir, 'mezz.yaml'), configText(upstream.origin), { mode: 0o600 });
  const control = new ControlClient(stateDir);
  const acknowledged: string[] = [];
  let agent: Launch | undefined;
  let checked = 0;
  try {
    for (let run = 0; run < RUNS; run++) {
      const { child, origin } = await up(stateDir, control);
      if (!agent)
        agent = (
          await control.call('agent.open', { name: 'load', client: 'generic', cwd: '/', hooks: false })
        ).launches[0] as Launch;
      const token = agent.token;
      let stop = false;
      const load = Array.from({ length: 4 }, async (_, worker) => {
        for (let i = 0; !stop; i++) {
          const body = `{"model":"claude-x","max_tokens":50,"stream":${i % 2 === 0},"messages":[{"role":"user","content":"${run}.${worker}.${i}"}]}`;
          const reply = await send(`${origin}/v1/messages`, body, { 'x-mezz-key': token }).catch(
            () => undefined,
          );
          if (!reply) return;
          // Acknowledged: the whole answer, its terminal part included, arrived.
          const whole = reply.status === 200 && /message_stop|"stop_reason"/.test(reply.body.toString());
          if (whole) acknowledged.push(String(reply.headers['x-mezz-call']));
        }
      });
      await sleep(random.unit() * 120);
      child.kill('SIGKILL');
      stop = true;
      await Promise.all(load);
      // Every run proves the whole store; the acknowledged calls since the last proof are looked up one by one.
      if (run % 20 !== 19 && run !== RUNS - 1) continue;
      const again = await up(stateDir, control);
      assert.deepEqual((await control.call('audit.verify', {})).problems, [], `run ${run}`);
      assert.deepEqual((await control.call('fsck', {})).problems, [], `run ${run}`);
      for (; checked < acknowledged.length; checked++) {
        const { call } = await control.call('trace', { call: acknowledged[checked] as string });
        assert.equal(call.state, 'done', `call ${call.id} was acknowledged`);
      }
      assert.equal(
        (await control.call('calls', { state: 'running' })).calls.length,
        0,
        'nothing stays half done',
      );
      again.child.kill('SIGKILL');
    }
    assert.ok(acknowledged.length > RUNS, 'the load was real');
    t.diagnostic(`${RUNS} kills, ${acknowledged.length} acknowledged calls, none lost`);
  } finally {
    await upstream.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
});
