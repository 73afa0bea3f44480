/** The order of calls on a real kernel: set live, kept across restarts, told, drawn; a policy of one's own. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { configText, send, startKernel, type TestKernel } from './kernel.ts';

const body = '{ "model": "claude-x", "max_tokens": 100, "messages": [ {"role":"user","content":"hi"} ] }';

async function withKernel(run: (kernel: TestKernel) => Promise<void>): Promise<void> {
  const kernel = await startKernel(undefined, '');
  try {
    await run(kernel);
  } finally {
    await kernel.close();
  }
}

const orderOf = async (kernel: TestKernel) => (await kernel.control.call('sched', {})).order;

test('what operators set of the order outlives the kernel, until mezz.yaml says something else of it', async () => {
  await withKernel(async (kernel) => {
    const change = async (more: string) => {
      writeFileSync(join(kernel.stateDir, 'mezz.yaml'), configText(kernel.upstream.origin, more));
      assert.deepEqual((await kernel.control.call('config.reload', {})).problems, []);
    };
    assert.equal((await orderOf(kernel)).source, 'config');
    await kernel.control.call('sched.set', { policy: 'fair', weights: { alice: 2 }, maxWaitMs: 5_000 });
    await kernel.control.call('sched.set', { weights: { bob: 3 }, reload: 0.5 });
    const expected = { policy: 'fair', weights: { alice: 2, bob: 3 }, reload: 0.5, maxWaitMs: 5_000 };
    const isSet = async () => {
      const { policy, weights, reload, maxWaitMs, source } = await orderOf(kernel);
      assert.deepEqual({ policy, weights, reload, maxWaitMs }, expected);
      assert.equal(source, 'operator');
    };
    await isSet();
    await kernel.restart();
    await isSet();
    await change('loop: { repeats: 3 }');
    await isSet();
    await change('scheduling: { policy: las, weights: { carol: 4 } }');
    const written = async () => {
      const { policy, weights, source } = await orderOf(kernel);
      assert.deepEqual([policy, weights, source], ['las', { carol: 4 }, 'config']);
    };
    await written();
    await kernel.restart();
    await written();
    await kernel.control.call('sched.set', { policy: 'fifo' });
    await kernel.control.call('sched.set', { reset: true });
    await written();
  });
});

test('what cannot be set changes nothing and says what to type', async () => {
  await withKernel(async (kernel) => {
    const file = join(kernel.stateDir, 'none.mjs');
    writeFileSync(file, 'export default { name: "none" };');
    for (const [change, told] of [
      [{ policy: 'lottery' }, /no scheduling policy "lottery"/],
      [{ policy: file }, /no default export that is a policy/],
      [{ policy: join(kernel.stateDir, 'missing.mjs') }, /cannot be loaded/],
      [{ weights: { me: 0 } }, /weight of "me"/],
      [{ reload: -1 }, /reload/],
    ] as const)
      await assert.rejects(kernel.control.call('sched.set', change), told);
    assert.equal((await orderOf(kernel)).source, 'config');
  });
});

test('the policy of a file decides; what it costs a policy to fail is its own place, and the journal says so', async () => {
  await withKernel(async (kernel) => {
    const agent = await kernel.agent();
    const file = join(kernel.stateDir, 'theirs.mjs');
    const text = (key: string) =>
      `export default { name: 'theirs', text: 'a test', start: () => null, event: () => null, key: () => ${key}, reasons: () => [] };`;
    writeFileSync(file, text('[1]'));
    await kernel.control.call('sched.set', { policy: 'las' });
    await kernel.control.call('sched.set', { policy: file });
    const { policies } = await kernel.control.call('sched.policies', {});
    assert.deepEqual(
      policies.filter(({ inForce }) => inForce).map(({ name }) => name),
      ['theirs'],
    );
    writeFileSync(file, text('nothing.at.all'));
    await kernel.control.call('sched.set', { policy: file });
    const reply = await send(`${agent.origin}/v1/messages`, body, { 'x-mezz-key': agent.token });
    assert.equal(reply.status, 200);
    const { policy, fault } = await orderOf(kernel);
    assert.equal(policy, 'las');
    assert.match(fault ?? '', /^the policy theirs failed and was replaced by las: nothing is not defined/);
    assert.ok((await kernel.control.call('status', {})).warnings.some((warning) => warning === fault));
    const { spans } = await kernel.control.call('sched.gantt', {});
    assert.deepEqual(
      spans.map(({ agent: pid, backend, endedAt }) => [pid, backend, endedAt !== null]),
      [[agent.pid, 'scripted', true]],
    );
  });
});

test('a call that waited keeps in the journal why it was granted when it was', async () => {
  let go: () => void = () => {};
  const hold = new Promise<void>((resolve) => (go = resolve));
  const kernel = await startKernel(() => ({ hold }), '');
  try {
    const busy = await kernel.agent('busy');
    const late = await kernel.agent('late');
    const ask = ({ origin, token }: typeof busy, text: string) =>
      send(`${origin}/v1/messages`, body.replace('hi', text), { 'x-mezz-key': token });
    const running = ['a', 'b', 'c', 'd'].map((text) => ask(busy, text));
    await kernel.upstream.seen(4);
    const waiting = ask(late, 'e');
    const why = async () => (await kernel.control.call('why', { subject: String(late.pid) })).waits[0];
    let wait = await why();
    while (!wait) wait = await why();
    assert.deepEqual(
      wait.rivals.map(({ agent, has }) => [agent, has?.resource]),
      ['a', 'b', 'c', 'd'].map(() => [busy.pid, 'scripted']),
    );
    assert.match(wait.reasons.join('; '), /^4 of 4 slots of scripted are taken; nice 0/);
    go();
    await Promise.all([...running, waiting]);
    const { entries } = await kernel.control.call('trace', { call: wait.call });
    const start = entries.find(({ kind }) => kind === 'call.start');
    assert.match(String(start?.order), /^mezz: nice 0; .*owner/);
    const first = (await kernel.control.call('calls', { agent: String(busy.pid) })).calls.at(-1);
    const atOnce = await kernel.control.call('trace', { call: first?.id ?? '' });
    assert.equal(
      atOnce.entries.find(({ kind }) => kind === 'call.start')?.order,
      undefined,
      'it did not wait',
    );
  } finally {
    await kernel.close();
  }
});

test('what-if replays what the journal has, for each agent, and a policy that fails is no answer', async () => {
  let go: () => void = () => {};
  const hold = new Promise<void>((resolve) => (go = resolve));
  const kernel = await startKernel(() => ({ hold }), '');
  try {
    const agents = [await kernel.agent('one'), await kernel.agent('two')] as const;
    const sent = [0, 0, 0, 0, 0, 1].map((who, index) => {
      const { origin, token } = agents[who] as (typeof agents)[0];
      return send(`${origin}/v1/messages`, body.replace('hi', `text ${index}`), { 'x-mezz-key': token });
    });
    await kernel.upstream.seen(4);
    go();
    await Promise.all(sent);
    const { rows, calls, inForce } = await kernel.control.call('whatif', { policies: ['fifo', 'mezz'] });
    assert.deepEqual([calls, inForce], [6, 'mezz']);
    assert.deepEqual(rows.map(({ agent, calls: own }) => [agent, own]).sort(), [
      [agents[0].pid, 5],
      [agents[1].pid, 1],
    ]);
    for (const { changesMs } of rows) assert.equal(changesMs[1], 0, 'the policy in force changes nothing');
    const file = join(kernel.stateDir, 'broken.mjs');
    writeFileSync(
      file,
      "export default { name: 'broken', text: '', start: () => null, event: () => null, key: () => no, reasons: () => [] };",
    );
    await assert.rejects(kernel.control.call('whatif', { policies: [file] }), /broken failed/);
    assert.equal((await orderOf(kernel)).policy, 'mezz');
  } finally {
    await kernel.close();
  }
});

test('embeddings wait in the same order as other model calls', async () => {
  const gates = new Map<string, () => void>();
  const kernel = await startKernel(({ json, url }) => {
    const name = url.endsWith('/embeddings') ? 'embedding' : JSON.stringify(json.messages);
    return { hold: new Promise<void>((resolve) => gates.set(name, resolve)) };
  });
  try {
    const [low, high] = [await kernel.agent('low'), await kernel.agent('high')];
    await kernel.control.call('nice', { agent: 'low', nice: 10 });
    await kernel.control.call('nice', { agent: 'high', nice: -5 });
    const chat = (text: string) =>
      send(`${low.origin}/v1/messages`, body.replace('hi', text), { 'x-mezz-key': low.token });
    const running = [0, 1, 2, 3].map((at) => chat(`running ${at}`));
    await kernel.upstream.seen(4);
    const waits = chat('waits');
    const waiting = async (count: number): Promise<void> => {
      while ((await kernel.control.call('sched', {})).line.length < count);
    };
    await waiting(1);
    const text = '{"model":"text-embedding-3-small","input":"x"}';
    const embeds = send(`${high.origin}/v1/embeddings`, text, { 'x-mezz-key': high.token });
    await waiting(2);
    const { line, caches } = await kernel.control.call('sched', {});
    assert.deepEqual(
      line.map(({ agentName }) => agentName),
      ['high', 'low'],
    );
    assert.deepEqual(
      caches.map(({ backend, windowTokens, learned }) => [backend, windowTokens, learned]),
      [['scripted', null, true]],
    );
    const open = (name: string) => [...gates].find(([key]) => key.includes(name))?.[1]();
    open('running 0');
    await kernel.upstream.seen(5);
    assert.equal(kernel.upstream.requests.at(-1)?.url, '/v1/embeddings', 'it came later');
    open('embedding');
    await kernel.upstream.seen(6);
    for (const name of ['running 1', 'running 2', 'running 3', 'waits']) open(name);
    assert.deepEqual(
      (await Promise.all([...running, waits, embeds])).map(({ status }) => status),
      [200, 200, 200, 200, 200, 200],
    );
  } finally {
    await kernel.close();
  }
});
