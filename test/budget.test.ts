/** Shares of plans and the rate of spending in a whole kernel. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { configText, send, startKernel } from './kernel.ts';

const body = (text: string) =>
  `{ "model": "claude-x", "max_tokens": 100, "messages": [ {"role":"user","content":"${text}"} ] }`;
const auth = (token: string) => ({ 'x-mezz-key': token });

test('a share of the plan, as the provider reports it, pauses the agent until its window resets', async () => {
  const resetsAt = Math.floor(Date.now() / 1000) + 3600;
  const kernel = await startKernel(() => ({
    headers: {
      'anthropic-ratelimit-unified-5h-utilization': '0.9',
      'anthropic-ratelimit-unified-5h-reset': String(resetsAt),
    },
  }));
  try {
    const agent = await kernel.agent();
    const ask = (text: string) => send(`${agent.origin}/v1/messages`, body(text), auth(agent.token));
    const limit = (cap: number, period: '5h' | 'day' = '5h') =>
      kernel.control.call('limit.set', { scope: 'account:scripted', dimension: 'share', period, cap });
    await assert.rejects(limit(80, 'day'), /plan window/);
    await limit(80);
    assert.equal((await ask('one')).status, 200);
    const refused = await ask('two');
    assert.equal(refused.status, 402);
    assert.match(refused.body.toString(), /used 90 %, cap 80 %/);
    const [paused] = (await kernel.control.call('ps', {})).agents;
    assert.equal(paused?.state, 'paused');
    const until = new Date(resetsAt * 1000).toISOString();
    assert.equal(paused?.waitsFor, `budget account:scripted/share/5h, until ${until}`);
    assert.equal((await limit(95)).limit?.resetsAt, resetsAt * 1000);
    assert.equal((await kernel.control.call('ps', {})).agents[0]?.state, 'ready');
    assert.equal((await ask('two')).status, 200);
  } finally {
    await kernel.close();
  }
});

test('spending faster than the rate asks once for the whole tree; an approval counts anew', async () => {
  const kernel = await startKernel(() => ({ usage: { input: 1000, output: 1000 } }));
  try {
    const keyFile = join(kernel.stateDir, 'key');
    writeFileSync(keyFile, 'sk-not-a-real-key\n', { mode: 0o600 });
    const text = configText(kernel.upstream.origin, 'loop: { usdPerHour: 0.05 }').replace(
      'credential: local',
      `credential: kernel, key: { file: ${keyFile} }`,
    );
    writeFileSync(join(kernel.stateDir, 'mezz.yaml'), text);
    assert.deepEqual((await kernel.control.call('config.reload', {})).problems, []);
    const agent = await kernel.agent();
    const ask = (words: string, who?: string) =>
      send(`${agent.origin}/v1/messages`, body(words), {
        ...auth(agent.token),
        ...(who ? { 'x-mezz-agent': who } : {}),
      }).then(({ status }) => status);
    // Each call costs 0.018 USD: the third passes the rate, whoever of the tree makes it.
    for (const who of [undefined, 'a', 'b']) assert.equal(await ask(`first ${who}`, who), 200);
    const waiting = [ask('x', 'a'), ask('y', 'b'), ask('z')];
    const questions = async () => (await kernel.control.call('inbox', {})).approvals;
    const waits = async () => (await kernel.control.call('why', { subject: 'tester' })).waits.length;
    for (let i = 0; i < 500 && ((await questions()).length < 1 || (await waits()) < 1); i++) await sleep(10);
    await sleep(50);
    const asked = await questions();
    assert.equal(asked.length, 1, 'one question for three calls');
    assert.match(asked[0]?.rule ?? '', /spent \$0\.05\d* within \d+ min, the rate is \$0\.05\d* an hour/);
    await kernel.control.call('approve', { approval: asked[0]?.id ?? '' });
    assert.deepEqual(await Promise.all(waiting), [200, 200, 200]);
    assert.equal((await questions()).length, 0);
    const next = ask('and on');
    for (let i = 0; i < 500 && (await questions()).length < 1; i++) await sleep(10);
    const [again] = await questions();
    await kernel.control.call('deny', { approval: again?.id ?? '' });
    assert.equal(await next, 403, 'as much again was spent: the next question');
  } finally {
    await kernel.close();
  }
});
