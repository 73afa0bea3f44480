import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import type { Launch } from '../src/base/control.ts';
import { isRecord, type JsonRecord } from '../src/base/json.ts';
import { LIMITS } from '../src/gate/limits.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';
import type { Reply, Script, ToolCall } from './upstream/upstream.ts';

const directory = mkdtempSync(join(tmpdir(), 'mezz-held-'));
const policy = join(directory, 'held.cedar');
writeFileSync(
  policy,
  `@id("no-danger")
@reason("danger is switched off")
@remedy("use safe")
forbid(principal, action, resource == Tool::"generic/danger");
@id("careful")
@reason("careful needs a person")
forbid(principal, action, resource == Tool::"generic/careful") unless { context.approved };
`,
);
after(() => rmSync(directory, { recursive: true, force: true }));
const CONFIG = `access: { files: ['${policy}'] }\nhold: all\nask: { hold: 1s, expires: 1h }\n`;

const tool = (name: string, id = `use_${name}`): ToolCall => ({ name, args: { what: name }, id });
const auth = (agent: Launch) => ({ 'x-mezz-key': agent.token });

/** A request of each dialect, with spacing and members that must survive. */
const DIALECTS: Record<string, (stream: boolean) => string> = {
  '/v1/messages': (stream) =>
    `{ "model":"claude-x", "max_tokens":50,"stream":${stream}, "x_new" : {"a":1.0},"messages":[ {"role":"user","content":"hi"} ] }`,
  '/v1/chat/completions': (stream) =>
    `{"model":"gpt-x", "messages": [{"role":"user","content":"hi"} ],"stream":${stream},\n"stream_options":{"include_usage":true}}`,
  '/v1/responses': (stream) => `{"model":"gpt-x","input" : "hi \\u00e9","stream":${stream},"store":false}`,
};
const FORMS = Object.keys(DIALECTS).flatMap((path) =>
  [true, false].map((stream) => ({ path, stream, name: `${path}${stream ? ', streamed' : ''}` })),
);
const requestOf = (path: string, stream: boolean): string =>
  (DIALECTS[path] as (s: boolean) => string)(stream);

async function withKernel(
  script: Script,
  run: (kernel: TestKernel, agent: Launch) => Promise<void>,
  config = CONFIG,
): Promise<void> {
  const kernel = await startKernel(script, config);
  try {
    await run(kernel, await kernel.agent());
  } finally {
    await kernel.close();
  }
}

/** One reply after the other; the last one for good. */
const replies =
  (...list: Reply[]): Script =>
  ({ turn }) =>
    list[Math.min(turn, list.length - 1)] as Reply;

async function callsOf(kernel: TestKernel): Promise<string[]> {
  const { calls } = await kernel.control.call('calls', {});
  return calls
    .map(({ kind, target, state, code }) => `${kind} ${target} ${state}${code ? ` ${code}` : ''}`)
    .sort();
}
const coverageOf = async (kernel: TestKernel) => (await kernel.control.call('ps', {})).agents[0]?.coverage;

/** What the last request to the upstream appended to the one the client sent. */
function appended(kernel: TestKernel): JsonRecord[] {
  const json = kernel.upstream.requests.at(-1)?.json ?? {};
  const list = (json.messages ?? json.input) as readonly JsonRecord[];
  return list.slice(1);
}

async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 1000; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return assert.fail('it never came');
}
const openQuestion = (kernel: TestKernel) =>
  eventually(async () => (await kernel.control.call('inbox', {})).approvals[0]);

describe('an answer whose tool calls are permitted', () => {
  for (const { path, stream, name } of FORMS) {
    test(`${name}: passes byte for byte after each was decided`, async () => {
      const script = replies({ text: 'Grüße', tools: [tool('safe'), tool('other')], chunkBytes: 11 });
      await withKernel(script, async (kernel, agent) => {
        const reply = await send(`${agent.origin}${path}`, requestOf(path, stream), auth(agent));
        assert.equal(reply.status, 200, reply.body.toString());
        assert.deepEqual(reply.body, kernel.upstream.answers[0]);
        assert.equal(reply.headers['x-mezz-transforms'], undefined);
        assert.equal(kernel.upstream.requests[0]?.body.toString(), requestOf(path, stream));
        assert.deepEqual((await callsOf(kernel)).slice(1), [
          'tool.call generic/other running',
          'tool.call generic/safe running',
        ]);
        assert.deepEqual(await coverageOf(kernel), { level: 'held', seen: 2, decided: 2 });
      });
    });
  }

  test('the results in the next request end them; a result that never comes leaves its call open', async () => {
    const script = replies({ tools: [tool('safe'), tool('other'), tool('third')] }, { text: 'Done.' });
    await withKernel(script, async (kernel, agent) => {
      const url = `${agent.origin}/v1/messages`;
      await send(url, requestOf('/v1/messages', false), auth(agent));
      const result = (id: string, failed: boolean) =>
        `{"type":"tool_result","tool_use_id":"${id}","is_error":${failed},"content":"x"}`;
      await send(
        url,
        `{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"x"},{"role":"user","content":[${result('use_safe', false)},${result('use_other', true)}]}]}`,
        auth(agent),
      );
      const calls = (await callsOf(kernel)).filter((call) => call.startsWith('tool'));
      assert.deepEqual(calls, [
        'tool.call generic/other failed failed',
        'tool.call generic/safe done',
        'tool.call generic/third running',
      ]);
      assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
      assert.deepEqual((await kernel.control.call('audit.verify', {})).problems, []);
    });
  });
});

describe('an answer with a denied tool call', () => {
  for (const { path, stream, name } of FORMS) {
    test(`${name}: never leaves; the model is told and asked again`, async () => {
      const first: Reply = { text: 'Let me.', tools: [tool('safe'), tool('danger')] };
      await withKernel(replies(first, { text: 'Then not.' }), async (kernel, agent) => {
        const reply = await send(`${agent.origin}${path}`, requestOf(path, stream), auth(agent));
        assert.equal(reply.status, 200, reply.body.toString());
        assert.deepEqual(reply.body, kernel.upstream.answers[1]);
        assert.equal(reply.headers['x-mezz-transforms'], 'held');
        const told = JSON.stringify(appended(kernel));
        assert.match(told, /Let me\./);
        assert.match(told, /use_danger.*danger is switched off.*Next: use safe/);
        assert.match(told, /use_safe.*not run: another call/);
        const body = kernel.upstream.requests[1]?.body.toString() ?? '';
        const [before] = requestOf(path, stream).split(/"hi/) as [string];
        assert.ok(body.startsWith(before.replace('"input" : ', '"input" : [{"role":"user","content":')));
        assert.deepEqual(await callsOf(kernel), [
          `model.generate ${path === '/v1/messages' ? 'claude-x' : 'gpt-x'} done`,
          `model.generate ${path === '/v1/messages' ? 'claude-x' : 'gpt-x'} done`,
          'tool.call generic/danger refused denied',
          'tool.call generic/safe failed cancelled',
        ]);
        assert.deepEqual(await coverageOf(kernel), { level: 'held', seen: 2, decided: 2 });
      });
    });
  }

  test('the further turn is a call of its own: charged, of the same turn, linked to the first', async () => {
    const script = replies({ tools: [tool('danger')] }, { text: 'No.' });
    await withKernel(script, async (kernel, agent) => {
      await send(`${agent.origin}/v1/messages`, requestOf('/v1/messages', false), auth(agent));
      const { calls } = await kernel.control.call('calls', {});
      const models = calls
        .filter(({ kind }) => kind === 'model.generate')
        .sort((a, b) => (a.id < b.id ? -1 : 1));
      const [first, second] = models;
      assert.ok(first && second);
      assert.equal(first.turn, second.turn);
      assert.equal(first.cost, second.cost);
      const trace = await kernel.control.call('trace', { call: second.id });
      assert.equal(trace.entries[0]?.continues, first.id);
      assert.deepEqual(trace.entries[0]?.transforms, ['held']);
      const [view] = (await kernel.control.call('ps', {})).agents;
      assert.equal(view?.usage.output, 14);
      assert.deepEqual([view?.calls, view?.turns], [2, 1]);
    });
  });

  test('a denial after a denial: each answer is held in its turn', async () => {
    const script = replies(
      { tools: [tool('danger', 'a')] },
      { tools: [tool('danger', 'b')] },
      { text: 'Fine.' },
    );
    await withKernel(script, async (kernel, agent) => {
      const reply = await send(`${agent.origin}/v1/responses`, requestOf('/v1/responses', true), auth(agent));
      assert.deepEqual(reply.body, kernel.upstream.answers[2]);
      const types = appended(kernel).map((item) => `${item.type} ${item.call_id}`);
      assert.deepEqual(types, [
        'function_call a',
        'function_call_output a',
        'function_call b',
        'function_call_output b',
      ]);
    });
  });

  test('a model that does not give up is stopped, and the client is told why', async () => {
    await withKernel(replies({ tools: [tool('danger')] }), async (kernel, agent) => {
      const reply = await send(
        `${agent.origin}/v1/chat/completions`,
        requestOf('/v1/chat/completions', true),
        auth(agent),
      );
      assert.equal(reply.status, 403);
      const { error } = JSON.parse(reply.body.toString()) as { error: JsonRecord };
      assert.equal(error.code, 'denied');
      assert.match(String(error.message), /answers in a row.*\[no-danger\]/);
      assert.equal(kernel.upstream.requests.length, LIMITS.heldTurns.value);
    });
  });

  test('a budget that runs out in the middle ends the call', async () => {
    await withKernel(replies({ tools: [tool('danger')] }), async (kernel, agent) => {
      await kernel.control.call('limit.set', {
        scope: `agent:${agent.name}`,
        dimension: 'requests',
        period: 'total',
        cap: 2,
      });
      const reply = await send(`${agent.origin}/v1/messages`, requestOf('/v1/messages', true), auth(agent));
      assert.equal(reply.status, 402, reply.body.toString());
      assert.equal(kernel.upstream.requests.length, 2);
      assert.equal((await kernel.control.call('ps', {})).agents[0]?.state, 'paused');
    });
  });

  test('arguments that two readers could read differently are denied', async () => {
    const twice = '{"what":"safe","what":"danger"}';
    const message = { role: 'assistant', content: null };
    const call = { id: 'u1', type: 'function', function: { name: 'safe', arguments: twice } };
    const raw = JSON.stringify({
      choices: [{ index: 0, message: { ...message, tool_calls: [call] }, finish_reason: 'tool_calls' }],
    });
    const script = replies({ raw: { body: raw, type: 'application/json' } }, { text: 'Oh.' });
    await withKernel(script, async (kernel, agent) => {
      const path = '/v1/chat/completions';
      const reply = await send(`${agent.origin}${path}`, requestOf(path, false), auth(agent));
      assert.deepEqual(reply.body, kernel.upstream.answers[1]);
      assert.match(String(appended(kernel)[1]?.content), /hold a key twice/);
    });
  });

  test('a stored object that is no answer passes as it is', async () => {
    const raw = { body: '{ a file of its own kind', type: 'text/plain' };
    const script: Script = ({ method }) => (method === 'GET' ? { raw } : { id: 'resp_f', text: 'Later.' });
    await withKernel(script, async (_kernel, agent) => {
      await send(`${agent.origin}/v1/responses`, requestOf('/v1/responses', false), auth(agent));
      const reply = await send(`${agent.origin}/v1/responses/resp_f`, '', auth(agent), 'GET');
      assert.equal(reply.body.toString(), raw.body);
    });
  });

  test('a stored answer that is fetched is held too; it has no further turn', async () => {
    const stored = JSON.stringify({
      id: 'resp_s',
      object: 'response',
      output: [{ type: 'function_call', call_id: 'u9', name: 'danger', arguments: '{}' }],
    });
    const script: Script = ({ method }) =>
      method === 'GET'
        ? { raw: { body: stored, type: 'application/json' } }
        : { id: 'resp_s', text: 'Later.' };
    await withKernel(script, async (kernel, agent) => {
      await send(`${agent.origin}/v1/responses`, requestOf('/v1/responses', false), auth(agent));
      const reply = await send(`${agent.origin}/v1/responses/resp_s`, '', auth(agent), 'GET');
      assert.equal(reply.status, 403, reply.body.toString());
      assert.doesNotMatch(reply.body.toString(), /function_call/);
      assert.equal(kernel.upstream.requests.length, 2);
    });
  });
});

describe('a held tool call that a person must approve', () => {
  test('waits, and goes out when it is approved', async () => {
    const config = CONFIG.replace('hold: 1s', 'hold: 10m');
    await withKernel(
      replies({ tools: [tool('careful')] }),
      async (kernel, agent) => {
        const waiting = send(`${agent.origin}/v1/messages`, requestOf('/v1/messages', true), auth(agent));
        const question = await openQuestion(kernel);
        await eventually(async () =>
          (await kernel.control.call('ps', {})).agents[0]?.state === 'waiting-for-you' ? true : undefined,
        );
        await kernel.control.call('approve', { approval: question.id });
        assert.deepEqual((await waiting).body, kernel.upstream.answers[0]);
        assert.equal(kernel.upstream.requests.length, 1);
      },
      config,
    );
  });

  test('counts as denied when nobody answers in time; approved later, the next try passes', async () => {
    const ask = { tools: [tool('careful')] };
    await withKernel(replies(ask, { text: 'I will wait.' }, ask), async (kernel, agent) => {
      const path = '/v1/responses';
      const reply = await send(`${agent.origin}${path}`, requestOf(path, true), auth(agent));
      assert.deepEqual(reply.body, kernel.upstream.answers[1]);
      const question = await openQuestion(kernel);
      assert.ok(String(appended(kernel)[1]?.output).includes(`mezz approve ${question.id}`));
      await kernel.control.call('approve', { approval: question.id });
      const again = await send(`${agent.origin}${path}`, requestOf(path, true), auth(agent));
      assert.deepEqual(again.body, kernel.upstream.answers[2]);
    });
  });

  test('survives a restart of the kernel as a question; the retry of the client finds its answer', async () => {
    const config = CONFIG.replace('hold: 1s', 'hold: 10m');
    await withKernel(
      replies({ tools: [tool('careful')] }),
      async (kernel, agent) => {
        const body = requestOf('/v1/chat/completions', true);
        const cut = send(`${agent.origin}/v1/chat/completions`, body, auth(agent)).catch(() => undefined);
        const question = await openQuestion(kernel);
        await kernel.restart();
        assert.doesNotMatch(String((await cut)?.body), /use_careful/);
        await kernel.control.call('approve', { approval: question.id });
        const retry = await send(`${kernel.running.origin}/v1/chat/completions`, body, auth(agent));
        assert.deepEqual(retry.body, kernel.upstream.answers[1]);
      },
      config,
    );
  });

  test('a client that leaves ends the wait: nothing more is asked of the model', async () => {
    const config = CONFIG.replace('hold: 1s', 'hold: 10m');
    await withKernel(
      replies({ tools: [tool('safe'), tool('careful')] }),
      async (kernel, agent) => {
        const left = new AbortController();
        const waiting = fetch(`${agent.origin}/v1/messages`, {
          method: 'POST',
          body: requestOf('/v1/messages', true),
          headers: { ...auth(agent), 'user-agent': 'mozilla' },
          signal: left.signal,
        }).catch(() => undefined);
        await openQuestion(kernel);
        left.abort();
        await waiting;
        const ended = await eventually(async () => {
          const calls = await callsOf(kernel);
          return calls.some((call) => call.includes('running') || call.includes('waiting'))
            ? undefined
            : calls;
        });
        assert.deepEqual(ended, [
          'model.generate claude-x done',
          'tool.call generic/careful refused cancelled',
          'tool.call generic/safe failed cancelled',
        ]);
        assert.equal(kernel.upstream.requests.length, 1);
      },
      config,
    );
  });
});

describe('who is held', () => {
  const toolCalls = async (kernel: TestKernel) =>
    (await callsOf(kernel)).filter((call) => call.startsWith('tool')).length;
  const ask = async (agent: Launch, headers: Record<string, string> = {}) =>
    send(`${agent.origin}/v1/messages`, requestOf('/v1/messages', false), { ...auth(agent), ...headers });
  const script: Script = ({ turn }) => ({ tools: [tool('safe', `u${turn}`)] });

  test('nobody by default; an agent by its switch, and what is below it', async () => {
    await withKernel(
      script,
      async (kernel, agent) => {
        await ask(agent);
        assert.equal(await toolCalls(kernel), 0);
        assert.equal((await coverageOf(kernel))?.level, 'seen');
        await kernel.control.call('agent.hold', { agent: agent.name, on: true });
        assert.equal((await coverageOf(kernel))?.level, 'held');
        await ask(agent);
        assert.equal(await toolCalls(kernel), 1);
        await ask(agent, { 'x-mezz-agent': 'below' });
        assert.equal(await toolCalls(kernel), 2);
        await kernel.restart();
        assert.equal((await coverageOf(kernel))?.level, 'held');
        await kernel.control.call('agent.hold', { agent: agent.name, on: false });
        assert.equal((await coverageOf(kernel))?.level, 'seen');
      },
      '',
    );
  });

  test('everybody where the setting says so, but for an agent whose switch is off', async () => {
    await withKernel(script, async (kernel, agent) => {
      await kernel.control.call('agent.hold', { agent: agent.name, on: false });
      await ask(agent);
      assert.equal(await toolCalls(kernel), 0);
      await ask(await kernel.agent('other'));
      assert.equal(await toolCalls(kernel), 1);
    });
  });

  test('an agent that is hooked too: the same call is not decided twice, another one is', async () => {
    await withKernel(
      ({ turn }) => ({ tools: [{ name: 'Bash', args: { command: 'ls' }, id: `u${turn}` }] }),
      async (kernel, agent) => {
        const identity = { 'user-agent': 'claude-cli/1', 'x-claude-code-session-id': 's1' };
        await ask(agent, identity);
        const hook = (event: string, command: string) =>
          send(
            `${agent.origin}/a/${agent.token}/hooks/claude`,
            JSON.stringify({
              hook_event_name: event,
              session_id: 's1',
              tool_name: 'Bash',
              tool_use_id: 'u0',
              tool_input: { command },
            }),
          );
        assert.equal((await hook('PreToolUse', 'ls')).body.toString(), '{}');
        assert.equal(await toolCalls(kernel), 1);
        assert.deepEqual(await coverageOf(kernel), { level: 'hooked', seen: 1, decided: 1 });
        await hook('PreToolUse', 'rm other');
        assert.equal(await toolCalls(kernel), 2, 'the id of a permitted call opens no other');
        await ask(agent, identity);
        await kernel.control.call('freeze', { all: true });
        const frozen = (await hook('PreToolUse', 'ls')).body.toString();
        assert.ok(isRecord(JSON.parse(frozen)) && frozen.includes('"deny"'), 'a freeze counts after all');
      },
    );
  });
});
