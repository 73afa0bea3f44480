/** Batches of JSON-RPC, which MCP 2025-03-26 has: at the endpoint and over `mezz mcp`, and nowhere in later versions. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { Launch } from '../src/base/control.ts';
import { LIMITS } from '../src/gateway/limits.ts';
import { startKernel, type TestKernel } from './kernel.ts';
import { type Any, settled } from './mcp/client.ts';

const COMMAND = [process.execPath, join(import.meta.dirname, 'conformance/fixture/stdio.ts')];
/** Touches nothing: its calls wait for no other. */
const FREE = { resources: [], retry: 'pure' };
const MANIFEST = { tools: { test_endless: FREE, test_tool_with_progress: FREE } };
const message = (of: Any): Any => ({ jsonrpc: '2.0', ...of });
const hello = (protocolVersion: string) =>
  message({
    ...{ id: 0, method: 'initialize' },
    params: { protocolVersion, capabilities: {}, clientInfo: { name: 'test', version: '1' } },
  });
const call = (id: unknown, name: string, more: Any = {}) =>
  message({ id, method: 'tools/call', params: { name: `box__${name}`, ...more } });

async function withKernel(work: (kernel: TestKernel, agent: Launch, url: string) => Promise<void>) {
  const dir = mkdtempSync(join(tmpdir(), 'mezz-batch-'));
  const manifest = join(dir, 'box.json');
  writeFileSync(manifest, JSON.stringify(MANIFEST));
  const tools = JSON.stringify({ box: { command: COMMAND, manifest } });
  const kernel = await startKernel(undefined, `tools: ${tools}`, { port: 0 });
  try {
    const agent = await kernel.agent('ann');
    await work(kernel, agent, `${agent.origin}/a/${agent.token}/mcp`);
  } finally {
    await kernel.close();
    rmSync(dir, { recursive: true });
  }
}

/** Posts as a client of this version does, in a session of it. */
async function session(url: string, version: string) {
  const post = async (body: unknown, headers: Record<string, string>) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { accept: 'application/json, text/event-stream', ...headers },
      body: JSON.stringify(body),
    });
    return {
      status: response.status,
      id: response.headers.get('mcp-session-id'),
      text: await response.text(),
    };
  };
  const { id } = await post(hello(version), {});
  return (body: unknown, headers: Record<string, string> = { 'mcp-session-id': String(id) }) =>
    post(body, headers);
}

const shortly = (replies: string) =>
  (JSON.parse(replies) as { id?: unknown; error?: { code: number }; result?: unknown }[]).map(
    ({ id, error, result }) => [id, error?.code ?? (result === undefined ? 'nothing' : 'result')],
  );

test('a batch is answered by the array of what its requests are answered, each performed as it would be alone', () =>
  withKernel(async (kernel, agent, url) => {
    const post = await session(url, '2025-03-26');
    const { status, text } = await post([
      message({ method: 'notifications/initialized' }),
      call('a', 'test_simple_text'),
      7,
      message({ id: 1, method: 'logging/setLevel', params: { level: 'error' } }),
      hello('2025-03-26'),
      message({ id: 2, method: 'no/such' }),
      call('b', 'test_no_such'),
      call('c', 'test_simple_text', { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } }),
    ]);
    assert.equal(status, 200);
    assert.deepEqual(shortly(text), [
      ['a', 'result'],
      [undefined, -32600],
      [1, 'result'],
      [0, -32600],
      [2, -32601],
      ['b', -32602],
      ['c', -32600],
    ]);
    const { calls } = await settled(kernel.control, agent);
    assert.deepEqual(
      calls.filter(({ kind }) => kind === 'tool.call').map(({ target, state }) => `${target} ${state}`),
      ['box/test_simple_text done'],
    );
    const quiet = await post([
      message({ method: 'notifications/initialized' }),
      message({ id: 9, result: {} }),
    ]);
    assert.deepEqual([quiet.status, quiet.text], [202, '']);
    const most = LIMITS.batchMessages.value;
    const pings = (count: number) =>
      Array.from({ length: count }, (_, id) => message({ id, method: 'ping' }));
    assert.equal(shortly((await post(pings(most))).text).length, most);
    for (const wrong of [[], pings(most + 1)]) {
      const refused = await post(wrong);
      assert.equal(refused.status, 400);
      assert.match(refused.text, /-32600.*a batch has 1 to 100 messages/);
    }
    assert.equal((await post(pings(1), { 'mcp-session-id': 'none' })).status, 404);
  }));

test('only versions with batches take one: by the session, or where there is none by the header', () =>
  withKernel(async (_kernel, _agent, url) => {
    const batch = [message({ id: 1, method: 'ping' })];
    const header = 'mcp-protocol-version';
    const statuses: Any = {};
    for (const version of ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) {
      const post = await session(url, version);
      statuses[version] = [await post(batch), await post(batch, { [header]: version })].map(
        (one) => one.status,
      );
    }
    assert.deepEqual(statuses, {
      '2024-11-05': [200, 200],
      '2025-03-26': [200, 200],
      '2025-06-18': [400, 400],
      '2025-11-25': [400, 400],
    });
    const post = await session(url, '2025-03-26');
    assert.deepEqual(shortly((await post(batch, {})).text), [[1, 'result']], 'who names no version');
    const modern = await post(batch, { [header]: '2026-07-28' });
    assert.equal(modern.status, 400);
    assert.match(modern.text, /-32600.*not one JSON-RPC request/);
  }));

test('the calls of a batch run side by side, and what is told of one before the end makes the answer a stream', () =>
  withKernel(async (kernel, agent, url) => {
    const post = await session(url, '2025-03-26');
    const told = post([
      call(1, 'test_endless'),
      call(2, 'test_endless', { arguments: { other: true } }),
      call(3, 'test_tool_with_progress', { _meta: { progressToken: 'p' } }),
    ]);
    const running = async () => {
      const { calls } = await kernel.control.call('calls', { agent: String(agent.pid) });
      return calls.filter(({ target, state }) => target === 'box/test_endless' && state === 'running').length;
    };
    while ((await running()) < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const withdrawn = (requestId: number) =>
      message({ method: 'notifications/cancelled', params: { requestId } });
    assert.equal((await post([withdrawn(1), withdrawn(2)])).status, 202);
    const events = [...(await told).text.matchAll(/^data: (.*)$/gm)].map(([, data]) =>
      JSON.parse(String(data)),
    );
    assert.deepEqual(
      events.map(({ id, params }) => id ?? params.progress),
      [0, 50, 100, 1, 2, 3],
    );
  }));

test('mezz mcp passes a batch on, and answers its requests also where no kernel does', async () => {
  const linesOf = async (url: string, lines: readonly unknown[]) => {
    const env = { ...process.env, MEZZ_MCP_URL: url };
    const child = spawn(process.execPath, ['bin/mezz.js', 'mcp'], { env });
    child.stderr.resume();
    const said: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
    child.stdin.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await once(child, 'close');
    return said;
  };
  const batch = [message({ id: 1, method: 'ping' }), message({ method: 'notifications/x' }), call(2, 'none')];
  const away = await linesOf('http://127.0.0.1:9/mcp', [batch]);
  assert.deepEqual(away.map(shortly), [
    [
      [1, -32603],
      [2, -32603],
    ],
  ]);
  await withKernel(async (_kernel, _agent, url) => {
    const [greeting, ...rest] = await linesOf(url, [hello('2025-03-26'), batch]);
    assert.match(String(greeting), /"protocolVersion":"2025-03-26"/);
    assert.deepEqual(rest.map(shortly), [
      [
        [1, 'result'],
        [2, -32602],
      ],
    ]);
    assert.match(String((await linesOf(url, [hello('2025-06-18'), batch]))[1]), /not one JSON-RPC request/);
  });
});
