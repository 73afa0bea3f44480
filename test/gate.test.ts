import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Usage } from '../src/base/usage.ts';
import { TABLES } from '../src/db/schema/index.ts';
import { openSqliteStore } from '../src/db/sqlite/store.ts';
import { rebuildRequest } from '../src/journal/context.ts';
import { send, startKernel } from './kernel.ts';

const messages = (stream: boolean, text = 'hi') =>
  `{ "model": "claude-x",  "max_tokens": 100, "stream": ${stream}, "unknown_field": [1, 2], "messages": [ {"role":"user","content":"${text}"} ] }`;
const USAGE: Usage = { input: 10, cacheRead: 100, cacheWrite: 7, output: 20, reasoning: 0 };
const auth = (token: string) => ({ 'x-mezz-key': token });

test('a message passes byte for byte, both ways, streamed and not, and is journaled, billed and rebuilt', async () => {
  const kernel = await startKernel(() => ({ text: 'Hello there, agent.', usage: USAGE, chunkBytes: 7 }));
  try {
    const agent = await kernel.agent();
    for (const stream of [true, false]) {
      const reply = await send(`${agent.origin}/v1/messages`, messages(stream), auth(agent.token));
      assert.equal(reply.status, 200, reply.body.toString());
      const sent = kernel.upstream.requests.at(-1);
      assert.equal(sent?.body.toString(), messages(stream), 'the body is not changed by a byte');
      assert.deepEqual(reply.body, kernel.upstream.answers.at(-1));
      assert.equal(sent?.headers['x-mezz-key'], undefined, 'mezz keys do not travel');
    }
    const { agents } = await kernel.control.call('ps', {});
    assert.equal(agents[0]?.calls, 2);
    assert.deepEqual(agents[0]?.usage, {
      input: 20,
      cacheRead: 200,
      cacheWrite: 14,
      output: 40,
      reasoning: 0,
    });
    const { calls } = await kernel.control.call('calls', {});
    assert.deepEqual(
      calls.map((call) => call.state),
      ['done', 'done'],
    );
    const audit = await kernel.control.call('audit.verify', {});
    assert.deepEqual(audit.problems, []);
    assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
    const trace = await kernel.control.call('trace', { call: calls[0]?.id ?? '' });
    assert.deepEqual(
      trace.entries.map((entry) => entry.kind),
      ['call.start', 'call.end'],
    );
    const id = calls[0]?.id ?? '';
    await kernel.stop();
    const store = await openSqliteStore({ directory: kernel.stateDir, tables: TABLES });
    assert.equal((await rebuildRequest(store, id))?.toString(), messages(false));
    await store.close();
  } finally {
    await kernel.close();
  }
});

test('every dialect passes, streamed and not, and its usage is booked', async () => {
  const kernel = await startKernel(() => ({
    text: 'Fine.',
    tools: [{ id: 'tu_1', name: 'Bash', args: { command: 'ls' } }],
  }));
  try {
    const agent = await kernel.agent();
    const bodies = {
      '/v1/responses': (stream: boolean) => `{"model":"gpt-x","input":"hi","stream":${stream}}`,
      '/v1/chat/completions': (stream: boolean) =>
        `{"model":"gpt-x","messages":[{"role":"user","content":"hi"}],"stream":${stream},"stream_options":{"include_usage":true}}`,
      '/v1/messages': (stream: boolean) => messages(stream),
    };
    for (const [path, body] of Object.entries(bodies)) {
      for (const stream of [false, true]) {
        const reply = await send(`${agent.origin}/a/${agent.token}${path}`, body(stream));
        assert.deepEqual(reply.body, kernel.upstream.answers.at(-1), `${path} ${stream}`);
      }
    }
    const embeddings = await send(
      `${agent.origin}/v1/embeddings`,
      '{"model":"text-embedding-3-small","input":"x"}',
      auth(agent.token),
    );
    assert.equal(embeddings.status, 200);
    const count = await send(`${agent.origin}/v1/messages/count_tokens`, messages(false), auth(agent.token));
    assert.deepEqual(count.body, kernel.upstream.answers.at(-1));
    const [view] = (await kernel.control.call('ps', {})).agents;
    assert.equal(view?.usage.output, 6 * 7);
    assert.equal(view?.coverage.level, 'seen');
    assert.equal(view?.coverage.seen, 1, 'the same tool use in six answers is one');
  } finally {
    await kernel.close();
  }
});

test('the door: no key, a wrong Host, a web page, an unknown route, bad JSON, duplicate keys', async () => {
  const kernel = await startKernel();
  try {
    const agent = await kernel.agent();
    const url = `${agent.origin}/v1/messages`;
    assert.equal((await send(url, messages(false))).status, 401);
    assert.equal(
      (await send(url, messages(false), { 'x-api-key': 'mezz_wrongwrongwrongwrongwrong' })).status,
      401,
    );
    assert.equal(
      (await send(url, messages(false), { ...auth(agent.token), host: 'evil.example' })).status,
      421,
    );
    assert.equal(
      (await send(url, messages(false), { ...auth(agent.token), origin: 'http://evil.example' })).status,
      403,
    );
    assert.equal((await send(`${agent.origin}/v1/other`, '{}', auth(agent.token))).status, 404);
    assert.equal((await send(url, '{"model":', auth(agent.token))).status, 400);
    const twice = await send(url, '{"model":"a","model":"b","messages":[]}', auth(agent.token));
    assert.equal(twice.status, 400);
    assert.match(twice.body.toString(), /"model\\" appears twice/);
    assert.equal((await send(url, '{"model":"nobody","messages":[]}', auth(agent.token))).status, 404);
    assert.equal(kernel.upstream.requests.length, 0, 'nothing reached the upstream');
  } finally {
    await kernel.close();
  }
});

test('a dead upstream becomes an error event in the dialect, never a fake end', async () => {
  const kernel = await startKernel(() => ({
    text: 'A long answer that will be cut.',
    usage: USAGE,
    cut: 700,
    chunkBytes: 50,
  }));
  try {
    const agent = await kernel.agent();
    const reply = await send(`${agent.origin}/v1/messages`, messages(true), auth(agent.token));
    assert.match(reply.body.toString(), /event: error\ndata: .*api_error/);
    assert.doesNotMatch(reply.body.toString(), /message_stop/);
    const [call] = (await kernel.control.call('calls', {})).calls;
    assert.equal(call?.code, 'upstream_cut');
    assert.deepEqual(
      call?.usage,
      { input: 10, cacheRead: 100, cacheWrite: 7, output: 1, reasoning: 0 },
      'partial usage is booked',
    );
  } finally {
    await kernel.close();
  }
});

test('a client that leaves cancels the upstream', async () => {
  const kernel = await startKernel(() => ({
    text: 'word '.repeat(400),
    chunkBytes: 40,
    pace: () => sleep(5),
  }));
  try {
    const agent = await kernel.agent();
    const left = new AbortController();
    const reply = await fetch(`${agent.origin}/v1/messages`, {
      method: 'POST',
      body: messages(true),
      headers: auth(agent.token),
      signal: left.signal,
    });
    await reply.body?.getReader().read();
    left.abort();
    for (let i = 0; i < 200 && !kernel.upstream.requests[0]?.aborted; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(kernel.upstream.requests[0]?.aborted);
    for (let i = 0; i < 200; i++) {
      const [call] = (await kernel.control.call('calls', {})).calls;
      if (call?.state === 'failed') return assert.equal(call.code, 'cancelled');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.fail('the call was never ended');
  } finally {
    await kernel.close();
  }
});

test('a paused agent waits with its connection open, across a restart, and the upstream gets the same bytes', async () => {
  const kernel = await startKernel();
  try {
    const agent = await kernel.agent();
    await kernel.control.call('signal', { agent: agent.name, signal: 'pause' });
    await kernel.restart();
    const origin = kernel.running.origin;
    const waiting = send(`${origin}/v1/messages`, messages(false), auth(agent.token));
    for (let i = 0; i < 200; i++) {
      const { waits } = await kernel.control.call('why', { subject: agent.name });
      if (waits[0]?.waitsFor === 'pause') break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(kernel.upstream.requests.length, 0);
    await kernel.control.call('signal', { agent: agent.name, signal: 'resume' });
    assert.equal((await waiting).status, 200);
    assert.equal(kernel.upstream.requests[0]?.body.toString(), messages(false));
  } finally {
    await kernel.close();
  }
});

test('freeze: no byte reaches an upstream after it took effect; kill ends what runs', async () => {
  const kernel = await startKernel(() => ({ hold: new Promise(() => {}) }));
  try {
    const agent = await kernel.agent();
    const running = send(`${agent.origin}/v1/messages`, messages(false), auth(agent.token));
    for (let i = 0; i < 200 && kernel.upstream.requests.length === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await kernel.control.call('freeze', { all: true });
    assert.equal((await running).status, 499);
    const refused = await send(`${agent.origin}/v1/messages`, messages(false), auth(agent.token));
    assert.equal(refused.status, 403);
    assert.match(refused.body.toString(), /mezz thaw/);
    assert.equal(kernel.upstream.requests.length, 1);
    await kernel.control.call('freeze', { all: true, thaw: true });
    await kernel.control.call('signal', { agent: agent.name, signal: 'kill', revoke: true });
    assert.equal((await send(`${agent.origin}/v1/messages`, messages(false), auth(agent.token))).status, 401);
  } finally {
    await kernel.close();
  }
});

test('a budget that cannot cover a call pauses the agent; raising it resumes', async () => {
  const kernel = await startKernel(() => ({ text: 'ok' }));
  try {
    const agent = await kernel.agent();
    await kernel.control.call('limit.set', {
      scope: `agent:${agent.name}`,
      dimension: 'requests',
      period: 'total',
      cap: 1,
    });
    assert.equal((await send(`${agent.origin}/v1/messages`, messages(false), auth(agent.token))).status, 200);
    const over = await send(`${agent.origin}/v1/messages`, messages(false, 'again'), auth(agent.token));
    assert.equal(over.status, 402, over.body.toString());
    assert.equal((await kernel.control.call('ps', {})).agents[0]?.state, 'paused');
    await kernel.control.call('limit.set', {
      scope: `agent:${agent.name}`,
      dimension: 'requests',
      period: 'total',
      cap: 5,
    });
    assert.equal(
      (await send(`${agent.origin}/v1/messages`, messages(false, 'again'), auth(agent.token))).status,
      200,
    );
  } finally {
    await kernel.close();
  }
});

test('hooks: an ordinary tool call goes on, a dangerous one waits for a person, its denial stops it', async () => {
  const kernel = await startKernel(undefined, 'ask: { hold: 2s, expires: 1h }\n');
  try {
    const agent = await kernel.agent('coder');
    const hook = (event: string, command: string, id: string) =>
      send(
        `${agent.origin}/a/${agent.token}/hooks/claude`,
        JSON.stringify({
          hook_event_name: event,
          session_id: 's1',
          tool_name: 'Bash',
          tool_use_id: id,
          tool_input: { command },
        }),
      );
    assert.equal((await hook('PreToolUse', 'npm test', 'tu_1')).body.toString(), '{}');
    await hook('PostToolUse', 'npm test', 'tu_1');
    const asked = hook('PreToolUse', 'rm -rf /', 'tu_2');
    let question = '';
    for (let i = 0; i < 100 && question === ''; i++) {
      question = (await kernel.control.call('inbox', {})).approvals[0]?.id ?? '';
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await kernel.control.call('deny', { approval: question });
    assert.match((await asked).body.toString(), /"permissionDecision":"deny"/);
    const { calls } = await kernel.control.call('calls', {});
    assert.deepEqual(calls.map((call) => call.state).sort(), ['done', 'refused']);
    const [view] = (await kernel.control.call('ps', {})).agents;
    assert.deepEqual(view?.coverage, { level: 'hooked', seen: 2, decided: 2 });
    assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
  } finally {
    await kernel.close();
  }
});

test('a name that every object has is a name like any other, wherever somebody sends one', async () => {
  const kernel = await startKernel(() => ({ text: 'hi' }));
  try {
    const agent = await kernel.agent();
    const base = `${agent.origin}/a/${agent.token}`;
    const hook = (event: string, tool: string, command: string) =>
      send(
        `${base}/hooks/claude`,
        JSON.stringify({
          ...{ hook_event_name: event, tool_name: tool, tool_use_id: `${event}${tool}${command}` },
          tool_input: { command },
        }),
      );
    const rpc = (method: string) =>
      send(
        `${base}/mcp`,
        JSON.stringify({
          ...{ jsonrpc: '2.0', id: 1, method },
          params: {
            _meta: {
              'io.modelcontextprotocol/protocolVersion': '2026-07-28',
              'io.modelcontextprotocol/clientInfo': { name: 'tester', version: '1' },
              'io.modelcontextprotocol/clientCapabilities': {},
            },
          },
        }),
        {
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': method,
          accept: 'application/json, text/event-stream',
        },
      );
    for (const name of ['constructor', 'toString', '__proto__']) {
      assert.equal((await hook('PreToolUse', 'Bash', `git ${name}`)).body.toString(), '{}');
      assert.equal((await hook('PreToolUse', name, '')).body.toString(), '{}');
      assert.equal((await hook(name, 'Bash', 'ls')).status, 400);
      assert.match((await rpc(name)).body.toString(), /"code":-32601/);
      const coded = { ...auth(agent.token), 'content-encoding': name };
      assert.equal((await send(`${agent.origin}/v1/messages`, messages(false), coded)).status, 415);
    }
  } finally {
    await kernel.close();
  }
});

test('a hooked tool call belongs to the turn of the model call that asked for it', async () => {
  const tools = [{ name: 'Bash', args: { command: 'ls' }, id: 'toolu_1' }];
  const kernel = await startKernel(() => ({ tools }));
  try {
    const agent = await kernel.agent('coder');
    const body = JSON.stringify({ ...JSON.parse(messages(false)), tools: [{ name: 'Bash' }] });
    assert.match(
      (await send(`${agent.origin}/v1/messages`, body, auth(agent.token))).body.toString(),
      /toolu_1/,
    );
    const hook = {
      hook_event_name: 'PreToolUse',
      session_id: 's1',
      tool_name: 'Bash',
      tool_use_id: 'toolu_1',
    };
    const event = JSON.stringify({ ...hook, tool_input: { command: 'ls' } });
    await send(`${agent.origin}/a/${agent.token}/hooks/claude`, event);
    const { calls } = await kernel.control.call('calls', {});
    assert.deepEqual(calls.map(({ kind }) => kind).sort(), ['model.generate', 'tool.call']);
    assert.match(calls[0]?.turn ?? '', /./);
    assert.equal(calls[0]?.turn, calls[1]?.turn);
  } finally {
    await kernel.close();
  }
});

test('a tool call that its client never told the end of is in doubt when the client has ended', async () => {
  const kernel = await startKernel();
  try {
    const agent = await kernel.agent('coder');
    const hook = { session_id: 's1', tool_name: 'view_image', tool_input: { path: 'gone.png' } };
    const before = JSON.stringify({ ...hook, hook_event_name: 'PreToolUse', tool_use_id: 'tu_1' });
    await send(`${agent.origin}/a/${agent.token}/hooks/codex`, before);
    const state = async () => (await kernel.control.call('calls', {})).calls[0]?.state;
    assert.equal(await state(), 'running');
    await kernel.control.call('agent.exited', { agent: 'coder', exitCode: 0, signal: null });
    assert.equal(await state(), 'in_doubt');
    const paused = await kernel.control.call('signal', { agent: 'coder', signal: 'pause' });
    assert.deepEqual(paused.agents, []);
    const [left] = (await kernel.control.call('ps', { all: true })).agents;
    assert.equal(left?.state, 'exited', 'who has ended is not paused');
    assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
  } finally {
    await kernel.close();
  }
});

test('what retrying cannot help is a 400 to Codex, which tries again whatever else it is told', async () => {
  const kernel = await startKernel();
  try {
    const agent = await kernel.agent();
    const ask = (headers: Record<string, string>) =>
      send(`${agent.origin}/v1/responses`, '{"model":"nobody","input":"hi"}', {
        ...auth(agent.token),
        ...headers,
      });
    const codex = await ask({ 'x-codex-turn-metadata': '{}' });
    assert.equal(codex.status, 400);
    assert.match(codex.body.toString(), /"code":"model_unknown"/);
    assert.equal((await ask({})).status, 404);
  } finally {
    await kernel.close();
  }
});

test('an alias changes the one member model, also of a compressed body, and nothing else', async () => {
  const kernel = await startKernel();
  try {
    const agent = await kernel.agent();
    const body = '{ "model" : "house-model", "messages":[{"role":"user","content":"say house-model"}] }';
    const url = `${agent.origin}/v1/chat/completions`;
    assert.equal((await send(url, body, auth(agent.token))).status, 200);
    assert.equal(
      (await send(url, gzipSync(body), { ...auth(agent.token), 'content-encoding': 'gzip' })).status,
      200,
    );
    for (const request of kernel.upstream.requests) {
      assert.equal(request.body.toString(), body.replace('"house-model"', '"gpt-real"'));
      assert.equal(request.headers['content-encoding'], undefined);
    }
  } finally {
    await kernel.close();
  }
});

test('a chat stream that does not ask for usage is charged what it used, and its client sees what it would have seen', async () => {
  const kernel = await startKernel(() => ({ id: 'one', text: 'Four words of text.', chunkBytes: 9 }));
  try {
    const agent = await kernel.agent();
    const body = (options: string) =>
      `{"model":"gpt-x", "stream":true,${options}"messages":[{"role":"user","content":"hi"}]}`;
    for (const options of ['', '"stream_options":{"include_usage":true},']) {
      const direct = await send(`${kernel.upstream.origin}/v1/chat/completions`, body(options));
      const reply = await send(`${agent.origin}/v1/chat/completions`, body(options), auth(agent.token));
      // Two answers, which may have been made in two seconds.
      const [ours, theirs] = [reply, direct].map((one) => one.body.toString().replace(/"created":\d+/g, ''));
      assert.equal(ours, theirs);
      assert.equal(reply.headers['x-mezz-transforms'], options === '' ? 'usage' : undefined);
    }
    const { calls } = await kernel.control.call('calls', {});
    for (const call of calls) assert.equal(call.usage?.output, 7);
    assert.equal(calls[0]?.cost, calls[1]?.cost);
  } finally {
    await kernel.close();
  }
});

test('transforms are named in the journal, in the header and in the trace, also after a restart', async () => {
  const kernel = await startKernel();
  try {
    const agent = await kernel.agent();
    const body = '{"model":"house-model","stream":true,"messages":[{"role":"user","content":"hi"}]}';
    const reply = await send(`${agent.origin}/v1/chat/completions`, body, auth(agent.token));
    assert.equal(reply.headers['x-mezz-transforms'], 'alias, usage');
    const plain = await send(`${agent.origin}/v1/messages`, messages(true), auth(agent.token));
    assert.equal(plain.headers['x-mezz-transforms'], undefined);
    const { calls } = await kernel.control.call('calls', {});
    const traceOf = (target: string) => {
      const call = calls.find((candidate) => candidate.target === target)?.id ?? '';
      return kernel.control.call('trace', { call });
    };
    const trace = await traceOf('house-model');
    assert.deepEqual(trace.entries[0]?.transforms, ['alias', 'usage']);
    assert.match(trace.steps.find(({ stage }) => stage === 'start')?.detail ?? '', /transforms alias, usage/);
    assert.deepEqual((await traceOf('claude-x')).entries[0]?.transforms, []);
    await kernel.restart();
    assert.equal((await traceOf('house-model')).steps[0]?.detail, 'transforms alias, usage');
  } finally {
    await kernel.close();
  }
});

test('an object that lives upstream is reached by its maker alone, and the refusal is journaled', async () => {
  const kernel = await startKernel(() => ({ text: 'Stored.' }));
  try {
    const maker = await kernel.agent('maker');
    const other = await kernel.agent('other');
    await send(`${maker.origin}/v1/responses`, '{"model":"gpt-x","input":"hi"}', auth(maker.token));
    const object = `${maker.origin}/v1/responses/resp_0`;
    assert.equal((await send(object, '', auth(maker.token), 'GET')).status, 200);
    const refused = await send(object, '', auth(other.token), 'GET');
    assert.equal(refused.status, 404, refused.body.toString());
    assert.equal(kernel.upstream.requests.length, 2, 'the other never reached the upstream');
    const { calls } = await kernel.control.call('calls', { agent: 'other' });
    assert.deepEqual(
      calls.map((call) => [call.state, call.code]),
      [['refused', 'foreign_object']],
    );
  } finally {
    await kernel.close();
  }
});
