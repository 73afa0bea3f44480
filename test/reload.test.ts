/** mezz.yaml changed under a running kernel: everything that may change does, a mistake changes nothing, calls go on. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { configText, send, startKernel, type TestKernel } from './kernel.ts';
import type { Script } from './upstream/upstream.ts';

const body = (text = 'hi', model = 'claude-x') =>
  `{ "model": "${model}", "max_tokens": 100, "messages": [ {"role":"user","content":"${text}"} ] }`;
const auth = (token: string) => ({ 'x-mezz-key': token });

async function withKernel(
  more: string,
  run: (kernel: TestKernel, change: (more: string) => Promise<string[]>) => Promise<void>,
  script?: Script,
): Promise<void> {
  const kernel = await startKernel(script, more);
  const change = async (text: string) => {
    writeFileSync(join(kernel.stateDir, 'mezz.yaml'), configText(kernel.upstream.origin, text));
    return (await kernel.control.call('config.reload', {})).problems;
  };
  try {
    await run(kernel, change);
  } finally {
    await kernel.close();
  }
}

async function until(seen: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await seen()) return;
    await sleep(10);
  }
  assert.fail('it never happened');
}

const caps = async (kernel: TestKernel) =>
  (await kernel.control.call('limits', {})).limits.map(({ scope, cap, source }) => [scope, cap, source]);
const limit = (scope: string, cap: number) =>
  `{ scope: "${scope}", dimension: requests, period: total, cap: ${cap} }`;

test('limits of mezz.yaml come, change and go with it; one that an operator set stays', async () => {
  const before = `limits: [${limit('owner:a', 1)}, ${limit('owner:b', 2)}, ${limit('owner:c', 3)}]`;
  await withKernel(before, async (kernel, change) => {
    const set = (scope: string, cap: number) =>
      kernel.control.call('limit.set', { scope, dimension: 'requests', period: 'total', cap });
    await set('owner:b', 20);
    await set('owner:d', 40);
    await change(`limits: [${limit('owner:b', 2)}, ${limit('owner:c', 30)}]`);
    const expected = [
      ['owner:b', 20, 'operator'],
      ['owner:c', 30, 'config'],
      ['owner:d', 40, 'operator'],
    ];
    assert.deepEqual((await caps(kernel)).sort(), expected);
    await change('');
    assert.deepEqual((await caps(kernel)).sort(), [expected[0], expected[2]]);
    await kernel.restart();
    assert.deepEqual((await caps(kernel)).sort(), [expected[0], expected[2]]);
  });
});

test('a running call goes on over its connection; models, backends, accounts and loop settings change', async () => {
  let go: () => void = () => {};
  const hold = new Promise<void>((resolve) => (go = resolve));
  await withKernel(
    '',
    async (kernel, change) => {
      const agent = await kernel.agent();
      const running = send(`${agent.origin}/v1/messages`, body(), auth(agent.token));
      await kernel.upstream.seen(1);
      const more = `accounts: { scripted: { parent: top }, top: {} }
loop: { repeats: 2 }
scheduling: { policy: fifo, maxWait: 1m, queue: 7 }`;
      assert.deepEqual(await change(more), []);
      const { config } = await kernel.control.call('config', {});
      assert.deepEqual(config.scheduling, { policy: 'fifo', maxWaitMs: 60_000, queue: 7, weights: {} });
      // The backend itself changes too: what runs over the old connection ends in its own time.
      const text = configText(kernel.upstream.origin, more)
        .replace('slots: 4', 'slots: 2')
        .replace('models:', "models:\n  'new-*': { backends: [scripted], price: free }");
      writeFileSync(join(kernel.stateDir, 'mezz.yaml'), text);
      assert.deepEqual((await kernel.control.call('config.reload', {})).problems, []);
      go();
      assert.equal((await running).status, 200);
      const { backends } = await kernel.control.call('backends', {});
      assert.equal(backends.find(({ id }) => id === 'scripted')?.slots, 2);
      assert.equal(
        (await send(`${agent.origin}/v1/messages`, body('x', 'new-1'), auth(agent.token))).status,
        200,
      );
      const { accounts } = await kernel.control.call('accounts', {});
      assert.equal(accounts.find(({ id }) => id === 'scripted')?.parent, 'top');
      // Two equal calls are a loop now.
      await send(`${agent.origin}/v1/messages`, body('x', 'new-1'), auth(agent.token));
      void send(`${agent.origin}/v1/messages`, body('x', 'new-1'), auth(agent.token)).catch(() => {});
      await until(async () => (await kernel.control.call('inbox', {})).approvals.length > 0);
    },
    () => ({ hold }),
  );
});

test('a mistake anywhere keeps all of the old; access policy files count, and are watched', async () => {
  await withKernel('', async (kernel, change) => {
    const agent = await kernel.agent();
    const ask = async () => (await send(`${agent.origin}/v1/messages`, body(), auth(agent.token))).status;
    const file = join(kernel.stateDir, 'team.cedar');
    const settings = `access: { files: [team.cedar] }\nlimits: [${limit('owner:a', 1)}]`;
    assert.match((await change(settings)).join(), /team\.cedar: access\.files: cannot be read/);
    writeFileSync(file, 'forbid(principal, action resource);');
    assert.match((await change(settings)).join(), /team\.cedar: line 1/);
    assert.deepEqual(await caps(kernel), [], 'the limit beside the mistake is not in force');
    assert.match((await kernel.control.call('status', {})).warnings.join('\n'), /team\.cedar/);
    assert.equal(await ask(), 200);
    writeFileSync(file, '@id("none") forbid(principal, action, resource is Model);');
    await until(async () => (await caps(kernel)).length > 0);
    assert.equal(await ask(), 403);
    assert.doesNotMatch((await kernel.control.call('status', {})).warnings.join('\n'), /team\.cedar/);
    assert.match((await change(`port: 9`)).join(), /port: 9 takes effect at the next start/);
    assert.equal(await ask(), 200, 'the file left the settings');
  });
});

test('an acting hosted tool is refused until mezz.yaml permits it; web search passes; both are in START', async () => {
  await withKernel('ask: { hold: 1ms }', async (kernel, change) => {
    const agent = await kernel.agent();
    const ask = (tools: string) =>
      send(
        `${agent.origin}/v1/responses`,
        `{"model":"gpt-x","input":"hi","tools":[${tools}]}`,
        auth(agent.token),
      );
    const web = '{"type":"web_search"}';
    const code = '{"type":"code_interpreter","container":{"type":"auto"}}';
    assert.equal((await ask(web)).status, 200);
    assert.notEqual((await ask(`${web},${code}`)).status, 200);
    assert.equal(kernel.upstream.requests.length, 1);
    await change('ask: { hold: 1ms }\nhostedTools: [code_interpreter]');
    assert.equal((await ask(`${web},${code}`)).status, 200);
    assert.notEqual((await ask('{"type":"mcp","server_label":"x"}')).status, 200, 'another acting tool');
    const { calls } = await kernel.control.call('calls', { state: 'done' });
    const hosted = [];
    for (const { id } of calls) {
      const { entries } = await kernel.control.call('trace', { call: id });
      hosted.push(entries.find((entry) => entry.kind === 'call.start')?.hosted);
    }
    assert.deepEqual(hosted, ['web_search, code_interpreter', 'web_search']);
  });
});
