/** The tasks extension of MCP through a real kernel: a slow call becomes a handle, which its client comes back with. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Launch } from '../src/base/control.ts';
import { startKernel, type TestKernel } from './kernel.ts';
import { type Any, type Client, modernClient } from './mcp/client.ts';

const TASKS = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
const BOX = {
  command: [process.execPath, join(import.meta.dirname, 'conformance/fixture/stdio.ts')],
  taskAfter: '1s',
};

async function withBox(work: (kernel: TestKernel, at: (agent: Launch) => string) => Promise<void>) {
  const kernel = await startKernel(undefined, `tools: ${JSON.stringify({ box: BOX })}`);
  try {
    await work(kernel, ({ token }) => `${kernel.running.origin}/a/${token}/mcp/box`);
  } finally {
    await kernel.close();
  }
}

/** A call that becomes a task. */
async function begin(client: Client, name: string): Promise<string> {
  const { result } = await client.ask('tools/call', { name });
  assert.deepEqual([result?.resultType, result?.status], ['task', 'working']);
  assert.deepEqual([typeof result?.ttlMs, typeof result?.pollIntervalMs], ['number', 'number']);
  for (const at of ['createdAt', 'lastUpdatedAt']) assert.ok(!Number.isNaN(Date.parse(String(result?.[at]))));
  return String(result?.taskId);
}

/** The task when it is in another state than this. */
async function after(client: Client, taskId: string, status: string): Promise<Any> {
  for (;;) {
    const { result } = await client.ask('tasks/get', { taskId });
    assert.equal(result?.resultType, 'complete');
    if (result.status !== status) return result;
    await sleep(50);
  }
}

const codeOf = async (asked: ReturnType<Client['ask']>) => (await asked).error?.code;

test('a slow call is a task for who takes tasks, found by its agent alone, and an answer for everybody else', () =>
  withBox(async (kernel, at) => {
    const [ann, bob] = [await kernel.agent('ann'), await kernel.agent('bob')];
    const client = modernClient(at(ann), TASKS);
    const { result: hello } = await client.ask('server/discover', {});
    assert.match(JSON.stringify(hello?.capabilities), /io\.modelcontextprotocol\/tasks/);
    const taskId = await begin(client, 'test_slow');
    assert.equal(await codeOf(modernClient(at(ann)).ask('tasks/get', { taskId })), -32021);
    assert.equal(await codeOf(modernClient(at(bob), TASKS).ask('tasks/get', { taskId })), -32602);
    assert.equal(await codeOf(client.ask('tasks/get', { taskId: 'none' })), -32602);
    assert.equal(await codeOf(client.ask('tasks/get', { taskId }, { 'mcp-name': 'other' })), -32020);
    const done = await after(client, taskId, 'working');
    assert.equal(done.status, 'completed');
    assert.match(JSON.stringify(done.result), /Slow\./);
    const plain = await modernClient(at(ann)).ask('tools/call', { name: 'test_slow' });
    assert.equal(plain.result?.resultType, 'complete');
  }));

test("a task's question is asked and answered by its handle, and a cancelled one ends", () =>
  withBox(async (kernel, at) => {
    const client = modernClient(at(await kernel.agent()), { ...TASKS, elicitation: {} });
    const taskId = await begin(client, 'test_slow_question');
    const asks = await after(client, taskId, 'working');
    assert.equal(asks.status, 'input_required');
    const [[key, question] = ['', {}]] = Object.entries(asks.inputRequests as Record<string, Any>);
    assert.equal(question.method, 'elicitation/create');
    const answer = { action: 'accept', content: { name: 'Luca' } };
    await client.ask('tasks/update', { taskId, inputResponses: { nothing: answer } });
    assert.equal((await client.ask('tasks/get', { taskId })).result?.status, 'input_required');
    const { result: taken } = await client.ask('tasks/update', { taskId, inputResponses: { [key]: answer } });
    assert.equal(taken?.resultType, 'complete');
    let done = await after(client, taskId, 'input_required');
    if (done.status === 'working') done = await after(client, taskId, 'working');
    assert.match(JSON.stringify(done.result), /Luca/);
    const endless = await begin(client, 'test_endless');
    assert.equal((await client.ask('tasks/cancel', { taskId: endless })).result?.resultType, 'complete');
    assert.equal((await after(client, endless, 'working')).status, 'cancelled');
  }));

test('a task outlives the kernel: one that may have taken effect waits for a person, and ends by their word', () =>
  withBox(async (kernel, at) => {
    const agent = await kernel.agent();
    const taskId = await begin(modernClient(at(agent), TASKS), 'test_endless');
    await kernel.restart();
    const client = modernClient(at(agent), TASKS);
    const { result } = await client.ask('tasks/get', { taskId });
    assert.equal(result?.status, 'working');
    assert.match(String(result.statusMessage), /a person decides/);
    const call = /mezz tool resolve (\w+)/.exec(String(result.statusMessage))?.[1] ?? '';
    // Just after a start its class may still be looked up, at a server that starts.
    const resolve = () =>
      kernel.control.call('tool.resolve', { call, as: 'done' }).then(
        () => true,
        () => sleep(50, false),
      );
    while (!(await resolve()));
    const done = await after(client, taskId, 'working');
    assert.match(JSON.stringify(done.result), /An operator says that it took effect/);
  }));
