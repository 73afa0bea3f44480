/** What agents have seen and hold outlives the kernel: it is killed with kill -9 while hooked agents work on real files. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Launch } from '../src/base/control.ts';
import { configText, send } from './kernel.ts';
import { KernelProcess } from './killing.ts';

/** A client's hook: what the gate says before the act, or hears after it. */
async function hook(
  kernel: KernelProcess,
  agent: Launch,
  event: 'PreToolUse' | 'PostToolUse',
  [tool, input, id]: readonly [tool: string, input: object, id: string],
): Promise<string> {
  const { origin } = await kernel.control.call('status', {});
  const body = JSON.stringify({
    ...{ hook_event_name: event, session_id: 's', cwd: '/' },
    ...{ tool_name: tool, tool_use_id: id, tool_input: input },
  });
  const { status, body: answer } = await send(`${origin}/a/${agent.token}/hooks/claude`, body);
  assert.equal(status, 200);
  return answer.toString();
}

test('kill -9: what an agent has seen, what peers have written since and what a running call holds are known to the next kernel', async () => {
  const stateDir = realpathSync(mkdtempSync(join(tmpdir(), 'mezz-versions-')));
  const kernel = new KernelProcess(stateDir);
  const file = join(stateDir, 'shared.txt');
  const at = { file_path: file };
  const killed = async () => {
    kernel.end();
    await kernel.up();
  };
  try {
    writeFileSync(join(stateDir, 'mezz.yaml'), configText('http://127.0.0.1:9'), { mode: 0o600 });
    writeFileSync(file, 'old\n');
    await kernel.up();
    const open = async (name: string) =>
      (await kernel.control.call('agent.open', { name, client: 'claude-code', cwd: stateDir, hooks: true }))
        .launches[0] as Launch;
    const [ann, bob] = [await open('ann'), await open('bob')];
    const use = async (agent: Launch, ...call: readonly [string, object, string]) => {
      const said = await hook(kernel, agent, 'PreToolUse', call);
      if (said !== '{}') return said;
      if (call[0] === 'Write') writeFileSync(file, `${agent.name}'s\n`);
      return hook(kernel, agent, 'PostToolUse', call);
    };
    assert.equal(await use(ann, 'Read', at, 'r1'), '{}');
    assert.equal(await use(bob, 'Read', at, 'r2'), '{}');
    assert.equal(await use(bob, 'Write', { ...at, content: '1' }, 'w1'), '{}');
    await killed();
    assert.match(
      await use(ann, 'Write', { ...at, content: '2' }, 'w2'),
      /shared\.txt was changed by bob \(\d+\) with Write, .* since ann last read it/,
    );
    assert.equal(readFileSync(file, 'utf8'), "bob's\n");
    // Ann's client writes while no kernel runs, and says so to the next one.
    assert.equal(await use(ann, 'Read', at, 'r3'), '{}');
    const write = ['Write', { ...at, content: '3' }, 'w3'] as const;
    assert.equal(await hook(kernel, ann, 'PreToolUse', write), '{}');
    await killed();
    writeFileSync(file, "ann's\n");
    const { held } = await kernel.control.call('locks', {});
    assert.deepEqual(
      held.map(({ name, tool, keys }) => [name, tool, keys.map(({ key }) => key)]),
      [['ann', 'Write', [`file:${file}`]]],
    );
    const second = use(bob, 'Write', { ...at, content: '4' }, 'w4');
    await hook(kernel, ann, 'PostToolUse', write);
    assert.match(await second, /was changed by ann \(\d+\) with Write/);
    assert.equal(readFileSync(file, 'utf8'), "ann's\n");
    assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
  } finally {
    kernel.end();
    rmSync(stateDir, { recursive: true, force: true });
  }
});
