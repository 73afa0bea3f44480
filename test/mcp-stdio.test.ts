/** `mezz mcp`: what clients that only start commands get, over standard input and output. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { startKernel } from './kernel.ts';
import type { Any } from './mcp/client.ts';

const FIXTURE = [process.execPath, join(import.meta.dirname, 'conformance/fixture/stdio.ts')];
const META = 'io.modelcontextprotocol/';
const MODERN = { [`${META}protocolVersion`]: '2026-07-28', [`${META}clientCapabilities`]: {} };

/** The command with its input and output as messages. */
function startClient(env: NodeJS.ProcessEnv, args: readonly string[]) {
  const child = spawn(process.execPath, ['bin/mezz.js', 'mcp', ...args], { env });
  child.stderr.resume();
  const waiting = new Map<unknown, (message: Any) => void>();
  const unasked: Any[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line) as Any;
    const answered = message.method === undefined && waiting.get(message.id);
    if (answered) answered(message);
    else unasked.push(message);
  });
  const send = (message: Any) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  let id = 0;
  return {
    unasked,
    send,
    ask(method: string, params: Any): Promise<Any> {
      const own = ++id;
      const answer = new Promise<Any>((resolve) => waiting.set(own, resolve));
      send({ id: own, method, params });
      return answer;
    },
    kill: () => child.kill('SIGKILL'),
    async end() {
      child.stdin.end();
      const [code] = await once(child, 'close');
      return code as number;
    },
  };
}

test('mezz mcp speaks both eras over standard input and output, for the agent it was started under', async () => {
  const kernel = await startKernel(undefined, `tools: ${JSON.stringify({ box: { command: FIXTURE } })}`, {
    port: 0,
  });
  try {
    const agent = await kernel.agent('ann');
    const env = { ...process.env, MEZZ_MCP_URL: `${agent.origin}/a/${agent.token}/mcp` };
    const client = startClient(env, ['box']);
    const hello = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'test', version: '1' },
    };
    const greeting = await client.ask('initialize', hello);
    assert.equal((greeting.result as Any).protocolVersion, '2025-11-25');
    client.send({ method: 'notifications/initialized' });
    const progress = { name: 'test_tool_with_progress', _meta: { progressToken: 'p' } };
    const called = await client.ask('tools/call', progress);
    assert.match(JSON.stringify(called.result), /All steps are done/);
    assert.deepEqual(
      client.unasked.map(({ params }) => (params as Any).progress),
      [0, 50, 100],
    );
    const modern = startClient(env, []);
    const listed = await modern.ask('tools/list', { _meta: MODERN });
    assert.equal((listed.result as Any).resultType, 'complete');
    const marked = { name: 'box__test_custom_header', arguments: { region: 'Zürich' }, _meta: MODERN };
    assert.match(JSON.stringify((await modern.ask('tools/call', marked)).result), /In Zürich/);
    assert.equal(((await modern.ask('no/such', { _meta: MODERN })).error as Any).code, -32601);
    const { calls } = await kernel.control.call('calls', { agent: String(agent.pid) });
    assert.equal(calls.length, 2, 'each call was a syscall of that agent');
    assert.deepEqual([await client.end(), await modern.end()], [0, 0]);
  } finally {
    await kernel.close();
  }
});

test('messages that come all at once, and then the end of the input, are all answered, in the session they open', async () => {
  const kernel = await startKernel(undefined, `tools: ${JSON.stringify({ box: { command: FIXTURE } })}`, {
    port: 0,
  });
  try {
    const agent = await kernel.agent('ann');
    const client = startClient({ ...process.env, MEZZ_MCP_URL: `${agent.origin}/a/${agent.token}/mcp` }, []);
    const clientInfo = { name: 'test', version: '1' };
    const hello = client.ask('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo });
    client.send({ method: 'notifications/initialized' });
    const level = client.ask('logging/setLevel', { level: 'debug' });
    const listed = client.ask('tools/list', {});
    const listens = client.ask('subscriptions/listen', { notifications: {}, _meta: MODERN });
    const ended = client.end();
    assert.equal(((await hello).result as Any).protocolVersion, '2025-06-18');
    assert.deepEqual((await level).result, {}, 'which only a session serves');
    assert.match(JSON.stringify((await listed).result), /box__test_simple_text/);
    assert.equal(await ended, 0);
    void listens;
  } finally {
    await kernel.close();
  }
});

test('the agent of a client that starts the command by itself ends with it, killed or not', async () => {
  const kernel = await startKernel(undefined, `tools: ${JSON.stringify({ box: { command: FIXTURE } })}`, {
    port: 0,
  });
  const { MEZZ_MCP_URL: _url, MEZZ_AGENT: _agent, ...env } = process.env;
  const left = async () => (await kernel.control.call('ps', {})).agents.map(({ name }) => name);
  const until = async (names: readonly string[]) => {
    while (JSON.stringify(await left()) !== JSON.stringify(names)) await setTimeout(20);
  };
  try {
    const here = { ...env, MEZZ_HOME: kernel.stateDir };
    const [ann, bob] = ['ann', 'bob'].map((name) => startClient(here, ['box', '--name', name]));
    assert.ok(ann && bob);
    for (const client of [ann, bob])
      assert.match(JSON.stringify(await client.ask('tools/list', { _meta: MODERN })), /test_simple_text/);
    assert.deepEqual((await left()).sort(), ['ann', 'bob']);
    assert.equal(await ann.end(), 0);
    assert.deepEqual(await left(), ['bob']);
    bob.kill();
    await until([]);
  } finally {
    await kernel.close();
  }
});

test('where no kernel answers, a request is answered all the same', async () => {
  const client = startClient({ ...process.env, MEZZ_MCP_URL: 'http://127.0.0.1:9/mcp' }, []);
  const reply = await client.ask('tools/list', { _meta: MODERN });
  assert.match(JSON.stringify(reply.error), /mezz cannot be reached/);
  assert.equal(await client.end(), 0);
});
