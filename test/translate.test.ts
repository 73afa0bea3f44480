import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import type { JsonRecord } from '../src/base/json.ts';
import type { NeutralDialect } from '../src/base/model.ts';
import { DIALECTS } from '../src/wire/registry.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';
import type { Reply } from './upstream/upstream.ts';

const CALL = { name: 'read', args: { path: 'ä' }, id: 'tu_1' };
const USAGE = { input: 5, output: 7 };
const BACKENDS = {
  'via-messages': { dialect: 'anthropic', path: '/v1/messages', model: 'claude-real' },
  'via-chat': { dialect: 'openai-chat', path: '/v1/chat/completions', model: 'chat-real' },
  'via-responses': { dialect: 'openai-responses', path: '/v1/responses', model: 'gpt-real' },
} as const;

const REQUESTS: { readonly [N in NeutralDialect]: { readonly path: string; readonly body: JsonRecord } } = {
  anthropic: {
    path: '/v1/messages?beta=true',
    body: {
      max_tokens: 50,
      top_k: 4,
      tools: [{ name: 'read', input_schema: { type: 'object' } }],
      messages: [{ role: 'user', content: 'hi' }],
    },
  },
  'openai-chat': {
    path: '/v1/chat/completions',
    body: {
      logit_bias: {},
      stream_options: { include_usage: true },
      tools: [{ type: 'function', function: { name: 'read', parameters: { type: 'object' } } }],
      messages: [{ role: 'user', content: 'hi' }],
    },
  },
  'openai-responses': {
    path: '/v1/responses',
    body: {
      truncation: 'auto',
      tools: [{ type: 'function', name: 'read', parameters: { type: 'object' } }],
      input: 'hi',
    },
  },
};

async function withKernel(reply: Reply, run: (kernel: TestKernel, base: string) => Promise<void>) {
  const kernel = await startKernel(() => reply, 'rateLimit: { on: fail }\n');
  try {
    const { origin, token } = await kernel.agent();
    await run(kernel, `${origin}/a/${token}`);
  } finally {
    await kernel.close();
  }
}

describe('a backend of another dialect', () => {
  test('serves every dialect, streamed and whole: tool call, usage, model, what was lost', () =>
    withKernel({ text: 'Fine.', tools: [CALL], usage: USAGE }, async (kernel, base) => {
      let calls = 0;
      for (const [client, { path, body }] of Object.entries(REQUESTS)) {
        for (const [model, backend] of Object.entries(BACKENDS)) {
          if (backend.dialect === client) continue;
          for (const stream of [false, true]) {
            calls++;
            const what = `${client} by ${backend.dialect}, stream ${stream}`;
            const answer = await send(`${base}${path}`, JSON.stringify({ ...body, model, stream }));
            assert.equal(answer.status, 200, what + answer.body);
            const seen = kernel.upstream.requests.at(-1);
            assert.equal(seen?.url, backend.path, what);
            assert.equal(seen?.json.model, backend.model, what);
            assert.equal(
              seen?.headers['anthropic-version'],
              backend.dialect === 'anthropic' ? '2023-06-01' : undefined,
            );
            const facts = readFacts(client as NeutralDialect, stream, answer.body);
            assert.deepEqual(facts?.intents, [{ id: 'tu_1', name: 'read', argumentsText: '{"path":"ä"}' }]);
            assert.equal(facts?.usage?.output, 7, what);
            assert.equal(facts?.model, model, what);
            assert.equal(answer.headers['x-mezz-transforms'], 'translate', what);
            const lost = Object.keys(body)[client === 'anthropic' ? 1 : 0];
            assert.ok(
              String(answer.headers['x-mezz-losses'])
                .split(', ')
                .includes(lost as string),
              what,
            );
          }
        }
      }
      const { agents } = await kernel.control.call('ps', {});
      assert.equal(agents[0]?.usage.output, calls * 7);
      assert.equal(agents[0]?.coverage.seen, 1);
      const [call] = (await kernel.control.call('calls', { limit: 1 })).calls;
      const trace = await kernel.control.call('trace', { call: String(call?.id) });
      const start = trace.entries.find((entry) => entry.kind === 'call.start');
      assert.deepEqual(start?.transforms, ['translate']);
      assert.match(String(start?.losses), /truncation/);
    }));

  test('its errors, its cut streams and its nonsense reach the client in the client’s dialect', async () => {
    const ask = (base: string, stream: boolean) =>
      send(`${base}/v1/messages`, JSON.stringify({ ...REQUESTS.anthropic.body, model: 'via-chat', stream }));
    await withKernel({ status: 429, headers: { 'retry-after': '7' } }, async (_kernel, base) => {
      const answer = await ask(base, true);
      assert.equal(answer.status, 429);
      assert.equal(answer.headers['retry-after'], '7');
      assert.equal(JSON.parse(answer.body.toString()).error.type, 'rate_limit_error');
    });
    await withKernel({ text: 'A long answer.', usage: USAGE, cut: 500 }, async (_kernel, base) => {
      const { body } = await ask(base, true);
      assert.match(body.toString(), /event: message_start/);
      assert.match(body.toString(), /event: error\n/);
      assert.doesNotMatch(body.toString(), /message_stop/);
    });
    await withKernel(
      { raw: { body: '{"no":"answer"}', type: 'application/json' } },
      async (_kernel, base) => {
        assert.equal((await ask(base, false)).status, 502);
      },
    );
  });

  test('thoughts sealed by another provider leave a conversation that goes on in its own dialect, and no other byte', () =>
    withKernel({ text: 'Fine.' }, async (kernel, base) => {
      const seal = (dialect: string, item: JsonRecord) =>
        `~mezz-seal:${Buffer.from(JSON.stringify({ dialect, item })).toString('base64')}`;
      const theirs = seal('openai-responses', { type: 'reasoning', encrypted_content: 'x' });
      const talk = (blocks: string, alone: string) =>
        `{ "model": "claude-x", "max_tokens": 9,  "messages": [{"role":"user","content":"~mezz-seal: is a word"}, {"role":"assistant", "content": [${blocks}{"type":"tool_use","id":"a","name":"n","input":{"big":12345678901234567890}}]},${alone}{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"ok"}]}] }`;
      const thought = `{"type":"thinking","thinking":"Hm.","signature":"${theirs}"}`;
      const own = '{"type":"thinking","thinking":"Hm.","signature":"c2ln"},';
      const answer = await send(
        `${base}/v1/messages`,
        talk(`${thought},${own}`, `{"role":"assistant","content":[${thought}]},`),
      );
      assert.equal(answer.headers['x-mezz-transforms'], 'unseal');
      assert.equal(answer.headers['x-mezz-losses'], 'reasoning');
      assert.equal(kernel.upstream.requests.at(-1)?.body.toString(), talk(own, ''));
      const item = {
        type: 'reasoning',
        id: 'rs',
        summary: [],
        encrypted_content: seal('anthropic', { type: 'thinking' }),
      };
      const input = [{ role: 'user', content: 'hi' }, item, { role: 'user', content: 'go on' }];
      await send(`${base}/v1/responses`, JSON.stringify({ model: 'gpt-x', input }));
      assert.deepEqual(kernel.upstream.requests.at(-1)?.json.input, [input[0], input[2]]);
      const word = talk(own, '');
      await send(`${base}/v1/messages`, word);
      assert.equal(kernel.upstream.requests.at(-1)?.body.toString(), word, 'a word is no seal');
    }));

  test('what only means something upstream is refused before anything leaves, and nothing stays held', () =>
    withKernel({ text: 'x' }, async (kernel, base) => {
      await kernel.control.call('limit.set', {
        scope: 'agent:1',
        dimension: 'requests',
        period: 'total',
        cap: 1,
      });
      const body = { ...REQUESTS['openai-responses'].body, model: 'via-chat' };
      const refused = await send(`${base}/v1/responses`, JSON.stringify({ ...body, background: true }));
      assert.equal(refused.status, 400);
      assert.match(refused.body.toString(), /background/);
      assert.equal(kernel.upstream.requests.length, 0);
      assert.equal((await send(`${base}/v1/responses`, JSON.stringify(body))).status, 200);
    }));

  test('under a strict limit a translated call has no proven bound', () =>
    withKernel({ text: 'x' }, async (kernel, base) => {
      const limit = {
        scope: 'agent:1',
        dimension: 'tokens',
        period: 'total',
        cap: 1e9,
        strict: true,
      } as const;
      await kernel.control.call('limit.set', limit);
      const answer = await send(
        `${base}/v1/messages`,
        JSON.stringify({ ...REQUESTS.anthropic.body, model: 'via-chat' }),
      );
      assert.match(answer.body.toString(), /proven bound/);
      assert.equal(kernel.upstream.requests.length, 0);
    }));

  test('names that an agent chose never keep their entry from being written', () =>
    withKernel({ text: 'x' }, async (kernel, base) => {
      const name = '\u0000'.repeat(5000);
      const model = await send(
        `${base}/v1/messages`,
        JSON.stringify({ ...REQUESTS.anthropic.body, model: `claude-${name}` }),
      );
      assert.equal(model.status, 200);
      await send(`${base}/v1/messages`, JSON.stringify({ ...REQUESTS.anthropic.body, model: name }));
      await send(
        `${base}/hooks/claude`,
        JSON.stringify({ hook_event_name: 'PreToolUse', tool_name: name, tool_use_id: name, tool_input: {} }),
      );
      const { calls } = await kernel.control.call('calls', {});
      assert.deepEqual(calls.map((call) => call.state).sort(), ['done', 'refused', 'running']);
      assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
    }));
});

function readFacts(client: NeutralDialect, stream: boolean, body: Buffer) {
  if (!stream) return DIALECTS[client].readResponse(body);
  const machine = DIALECTS[client].newStream();
  machine.push(body);
  const end = machine.finish();
  assert.equal(end.kind, 'complete', body.toString());
  return end.facts;
}
