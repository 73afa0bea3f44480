import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import test, { after, before, describe } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Reply, startUpstream, type Upstream } from '../../test/upstream/upstream.ts';
import { refusal } from '../base/errors.ts';
import type { AccountId, BackendId } from '../base/ids.ts';
import { systemClock } from '../drivers/clock.ts';
import { HttpModelBackend } from '../drivers/models/http.ts';
import { BODIES, CALL, KEY, OpenKernel, UPSTREAM_KEY } from './fixture.test.ts';
import { type Gateway, openGateway } from './server.ts';

interface Got {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** The connection ended before the answer did. */
  readonly cut: boolean;
}

let kernel: OpenKernel;
let upstream: Upstream;
let gateway: Gateway;
let port = 0;
let script: (turn: number) => Reply = () => ({});

before(async () => {
  upstream = await startUpstream(({ turn }) => script(turn));
  kernel = new OpenKernel();
  kernel.backend = new HttpModelBackend(
    {
      id: 'up' as BackendId,
      url: `${upstream.origin}/v1`,
      dialects: ['anthropic', 'openai-chat', 'openai-responses', 'openai-embeddings'],
      credential: 'auto',
      provider: 'anthropic',
      account: 'team' as AccountId,
      slots: 8,
      idleTimeoutMs: 60_000,
    },
    systemClock,
    () => ['authorization', `Bearer ${UPSTREAM_KEY}`],
  );
  gateway = await openGateway(kernel, 0);
  port = Number(new URL(gateway.origin).port);
});
after(async () => {
  await gateway.cut();
  await gateway.stop();
  await kernel.backend.close();
  await upstream.close();
});

function open(method: string, path: string, headers: Record<string, string> = {}) {
  const request = httpRequest({ port, host: '127.0.0.1', method, path, headers, agent: false });
  request.on('error', () => {});
  return request;
}

async function send(
  method: string,
  path: string,
  body: Buffer | string = '',
  headers: Record<string, string | undefined> = {},
): Promise<Got> {
  const all = Object.entries({ 'x-mezz-key': KEY, ...headers });
  const present = all.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const request = open(method, path, Object.fromEntries(present));
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch {
    // `complete` tells.
  }
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks),
    cut: !response.complete,
  };
}

const lastSeen = () => {
  const seen = upstream.requests.at(-1);
  assert.ok(seen);
  return seen;
};
const lastAnswer = () => upstream.answers.at(-1) as Buffer;
const errorCode = (got: Got) => (JSON.parse(got.body.toString()) as { error: { code: string } }).error.code;
const turn = async (check: () => boolean) => {
  while (!check()) await new Promise((resolve) => setImmediate(resolve));
};

const TOOLS = [{ name: /never/, args: {} }];

describe('bytes pass unchanged', () => {
  for (const [path, body] of Object.entries(BODIES)) {
    for (const chunkBytes of [1, 7, 64, 1 << 20]) {
      test(`${path}, streamed, upstream writes of ${chunkBytes}`, async () => {
        script = () => ({ text: 'Grüße, Welt', tools: TOOLS, chunkBytes });
        const sent = body(true);
        const got = await send('POST', path, sent);
        assert.equal(lastSeen().body.toString(), sent);
        assert.equal(lastSeen().url, path);
        assert.equal(got.status, 200);
        assert.equal(got.body.toString(), lastAnswer().toString());
        const outcome = kernel.outcomes.at(-1);
        assert.equal(outcome?.kind === 'answered' && outcome.facts.usage?.output, 7);
      });
    }
    test(`${path}, whole`, async () => {
      script = () => ({ text: 'fine' });
      const got = await send('POST', path, body(false));
      assert.deepEqual(got.body, lastAnswer());
      assert.equal(got.headers['content-length'], String(got.body.length));
      assert.equal(got.headers['x-mezz-call'], CALL);
    });
  }
  test('compressed requests travel compressed and are read', async () => {
    script = () => ({});
    for (const [encoding, compress] of [
      ['zstd', zstdCompressSync],
      ['gzip', gzipSync],
    ] as const) {
      const sent = compress(BODIES['/v1/responses']?.(false) as string);
      const got = await send('POST', '/v1/responses', sent, { 'content-encoding': encoding });
      assert.equal(got.status, 200);
      assert.deepEqual(lastSeen().body, sent);
      assert.equal(kernel.calls.at(-1)?.facts.model, 'm');
    }
  });
  test('compressed answers travel compressed and are read', async () => {
    const plain = JSON.stringify({
      id: 'r1',
      object: 'response',
      status: 'completed',
      model: 'm',
      output: [],
    });
    const packed = gzipSync(plain);
    script = () => ({
      raw: { body: packed, type: 'application/json' },
      headers: { 'content-encoding': 'gzip' },
    });
    const got = await send('POST', '/v1/responses', BODIES['/v1/responses']?.(false));
    assert.deepEqual(got.body, packed);
    const outcome = kernel.outcomes.at(-1);
    assert.equal(outcome?.kind === 'answered' && outcome.facts.responseId, 'r1');
  });
  test('streams that are compressed all the same pass as they came, and are watched', async () => {
    script = () => ({ text: 'Grüße' });
    const sent = BODIES['/v1/messages?beta=true']?.(true) as string;
    const plain = (await send('POST', '/v1/messages', sent)).body;
    for (const [encoding, packed] of [
      ['gzip', gzipSync(plain)],
      ['zstd', zstdCompressSync(plain)],
    ] as const) {
      const headers = { 'content-encoding': encoding };
      script = () => ({ raw: { body: packed, type: 'text/event-stream' }, headers, chunkBytes: 30 });
      const got = await send('POST', '/v1/messages', sent);
      assert.deepEqual(got.body, packed);
      assert.equal(got.headers['content-encoding'], encoding);
      const outcome = kernel.outcomes.at(-1);
      assert.equal(outcome?.kind === 'answered' && outcome.facts.usage?.output, 7);
      const half = packed.subarray(0, packed.length >> 1);
      script = () => ({ raw: { body: half, type: 'text/event-stream' }, headers });
      const broken = await send('POST', '/v1/messages', sent);
      assert.ok(broken.cut, 'no event in plain text is put behind compressed bytes');
      assert.ok(half.subarray(0, broken.body.length).equals(broken.body));
    }
  });
  test('a compressed stream that a transform must change arrives decoded', async () => {
    const chunks =
      'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":7}}\n\ndata: [DONE]\n\n';
    script = () => ({
      raw: {
        body: gzipSync(`data: {"choices":[{"index":0,"delta":{}}]}\n\n${chunks}`),
        type: 'text/event-stream',
      },
      headers: { 'content-encoding': 'gzip' },
    });
    kernel.transforms = ['usage'];
    const got = await send('POST', '/v1/chat/completions', BODIES['/v1/chat/completions']?.(true));
    kernel.transforms = undefined;
    assert.equal(got.body.toString(), 'data: {"choices":[{"index":0,"delta":{}}]}\n\ndata: [DONE]\n\n');
    assert.equal(got.headers['content-encoding'], undefined);
    const outcome = kernel.outcomes.at(-1);
    assert.equal(outcome?.kind === 'answered' && outcome.facts.usage?.output, 7);
  });
  test('errors of the upstream pass with status, headers and body', async () => {
    script = () => ({ status: 529, headers: { 'retry-after': '3', 'x-request-id': 'theirs' } });
    const got = await send('POST', '/v1/messages', BODIES['/v1/messages?beta=true']?.(true));
    assert.equal(got.status, 529);
    assert.equal(got.headers['retry-after'], '3');
    assert.equal(got.headers['x-request-id'], 'theirs');
    assert.deepEqual(got.body, lastAnswer());
  });
  for (const blocks of [1, 100])
    test(`whole answers of ${256 * blocks} bytes that are no text, and headers that are no ASCII`, async () => {
      const body = Buffer.from(Array.from({ length: 256 * blocks }, (_, i) => i % 256));
      const named = Buffer.from('name of Zürich, 3 €').toString('latin1');
      script = () => ({ raw: { body, type: 'application/octet-stream' }, headers: { 'x-named': named } });
      const got = await send('POST', '/v1/messages', BODIES['/v1/messages?beta=true']?.(false));
      assert.deepEqual(got.body, body);
      assert.equal(got.headers['x-named'], named);
    });
  test('several calls on one connection, of which the client leaves the last', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sendOn = () => {
      const to = { port, host: '127.0.0.1', method: 'POST', path: '/v1/messages', agent };
      const request = httpRequest({ ...to, headers: { 'x-mezz-key': KEY } });
      request.on('error', () => {});
      return request.end(BODIES['/v1/messages?beta=true']?.(true));
    };
    script = () => ({ text: 'x' });
    for (let i = 0; i < 20; i++) {
      const [response] = (await once(sendOn(), 'response')) as [IncomingMessage];
      await once(response.resume(), 'end');
    }
    const signals = new Set(kernel.calls.slice(-20).map((call) => call.signal));
    assert.deepEqual(
      [...signals].map((signal) => getEventListeners(signal, 'abort').length),
      [0],
    );
    script = () => ({ text: 'x', chunkBytes: 40, pace: () => new Promise(() => {}) });
    const outcomes = kernel.outcomes.length;
    const seen = upstream.requests.length;
    const last = sendOn();
    await turn(() => upstream.requests.length > seen);
    last.destroy();
    await turn(() => kernel.outcomes.length > outcomes);
    const outcome = kernel.outcomes.at(-1);
    assert.ok(outcome?.kind === 'broken' && outcome.refusal.code === 'cancelled');
  });
  test('the end of a stream waits for END', async () => {
    script = () => ({ text: 'held' });
    let release = () => {};
    kernel.beforeEnd = new Promise((resolve) => {
      release = resolve;
    });
    const request = open('POST', '/v1/messages', { 'x-mezz-key': KEY });
    request.end(BODIES['/v1/messages?beta=true']?.(true));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    response.on('data', (chunk) => {
      text += chunk;
    });
    const performed = kernel.outcomes.length;
    await turn(() => kernel.outcomes.length > performed || text.includes('message_delta'));
    await turn(() => text.includes('held'.slice(2)));
    assert.ok(!text.includes('message_stop'));
    release();
    kernel.beforeEnd = Promise.resolve();
    await once(response, 'end');
    assert.ok(text.includes('message_stop'));
  });
});

describe('keys', () => {
  const body = () => BODIES['/v1/messages?beta=true']?.(false) as string;
  const places: [string, string, Record<string, string>][] = [
    ['the path', `/a/${KEY}/v1/messages`, {}],
    ['x-mezz-key', '/v1/messages', { 'x-mezz-key': KEY }],
    ['Authorization', '/v1/messages', { authorization: `Bearer ${KEY}` }],
    ['x-api-key', '/v1/messages', { 'x-api-key': KEY }],
  ];
  for (const [place, path, headers] of places) {
    test(`in ${place}: found, and taken out of what travels`, async () => {
      script = () => ({});
      const sent = upstream.requests.length;
      const got = await send('POST', path, body(), { 'x-mezz-key': undefined, ...headers });
      assert.equal(got.status, 200);
      assert.equal(upstream.requests.length, sent + 1);
      assert.ok(!JSON.stringify([lastSeen().url, lastSeen().rawHeaders]).includes('mezz_'));
    });
  }
  test('the path counts before any header', async () => {
    assert.equal((await send('POST', '/a/wrong/v1/messages', body())).status, 401);
  });
  test('a client login reaches a client backend untouched, a kernel backend never', async () => {
    script = () => ({});
    const login = { authorization: 'Bearer sk-ant-oat01-theirs' };
    kernel.credential = 'client';
    await send('POST', `/a/${KEY}/v1/messages`, body(), login);
    assert.ok(lastSeen().rawHeaders.includes('Bearer sk-ant-oat01-theirs'));
    assert.ok(!lastSeen().rawHeaders.includes(`Bearer ${UPSTREAM_KEY}`));
    kernel.credential = 'kernel';
    await send('POST', `/a/${KEY}/v1/messages`, body(), login);
    assert.ok(!JSON.stringify(lastSeen().rawHeaders).includes('theirs'));
    assert.ok(lastSeen().rawHeaders.includes(`Bearer ${UPSTREAM_KEY}`));
  });
  test('without one: 401 in the dialect, counted, nothing sent', async () => {
    const sent = upstream.requests.length;
    kernel.refused.length = 0;
    const anthropic = await send('POST', '/v1/messages', body(), { 'x-mezz-key': 'mezz_wrong' });
    assert.equal(anthropic.status, 401);
    assert.equal(JSON.parse(anthropic.body.toString()).error.type, 'authentication_error');
    const openai = await send('POST', '/a/wrong/v1/responses', '{}');
    assert.equal(errorCode(openai), 'unauthorized');
    assert.deepEqual(kernel.refused, ['unauthorized', 'unauthorized']);
    assert.equal(upstream.requests.length, sent);
  });
});

describe('what the door refuses', () => {
  const cases: [string, number, string, string, string, Record<string, string>][] = [
    ['foreign Host', 421, 'POST', '/v1/responses', '{}', { host: 'evil.example:80' }],
    ['any Origin', 403, 'POST', '/v1/responses', '{}', { origin: 'http://127.0.0.1' }],
    ['unknown routes', 404, 'GET', '/v1/other', '', {}],
    ['wrong methods', 405, 'PUT', '/v1/responses', '{}', {}],
    ['malformed JSON', 400, 'POST', '/v1/responses', '{"model":', {}],
    ['duplicate keys', 400, 'POST', '/v1/responses', '{"model":"a","model":"b","input":"x"}', {}],
    ['unknown encodings', 415, 'POST', '/v1/responses', '{}', { 'content-encoding': 'lzma' }],
    ['false encodings', 400, 'POST', '/v1/responses', '{}', { 'content-encoding': 'gzip' }],
  ];
  for (const [name, status, method, path, body, headers] of cases) {
    test(name, async () => {
      const sent = upstream.requests.length;
      const got = await send(method, path, body, headers);
      assert.equal(got.status, status);
      assert.equal(typeof errorCode(got), 'string');
      assert.equal(upstream.requests.length, sent);
    });
  }
  test('bodies over the bound, before reading them', async () => {
    const request = open('POST', '/v1/responses', { 'x-mezz-key': KEY, 'content-length': '999999999999' });
    request.flushHeaders();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 413);
    request.destroy();
  });
  test('WebSockets, with 426', async () => {
    const request = open('GET', '/v1/responses', { connection: 'Upgrade', upgrade: 'websocket' });
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 426);
    response.resume();
  });
  test('what is not HTTP, in plain words', async () => {
    const socket = connect(port, '127.0.0.1', () => socket.write('NOT HTTP\r\n\r\n'));
    let text = '';
    for await (const chunk of socket) text += chunk;
    assert.match(text, /^HTTP\/1\.1 400 .*bad_request/s);
  });
  test('a body that stops half way reaches nobody', async () => {
    const [sent, called] = [upstream.requests.length, kernel.calls.length];
    const socket = connect(port, '127.0.0.1', () =>
      socket.end(
        `POST /v1/responses HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nx-mezz-key: ${KEY}\r\ncontent-length: 50\r\n\r\n{"model":`,
      ),
    );
    socket.resume();
    await once(socket, 'close');
    assert.equal((await send('GET', '/healthz')).status, 200);
    assert.deepEqual([upstream.requests.length, kernel.calls.length], [sent, called]);
  });
});

describe('broken upstreams and clients', () => {
  const stream = () => BODIES['/v1/messages?beta=true']?.(true) as string;
  test('dead before headers: 502 in the dialect', async () => {
    script = () => ({ cut: 'before_headers' });
    const got = await send('POST', '/v1/messages', stream());
    assert.equal(got.status, 502);
    assert.equal(JSON.parse(got.body.toString()).type, 'error');
  });
  for (const reply of [{ cut: 'mid_event' }, { malformed: true }] as const) {
    test(`${JSON.stringify(reply)}: an error event, never a fake end`, async () => {
      script = () => ({ text: 'some text', ...reply });
      const got = await send('POST', '/v1/messages', stream());
      assert.equal(got.status, 200);
      assert.match(got.body.toString(), /event: error\n/);
      assert.ok(!got.body.includes('message_stop'));
      assert.equal(kernel.outcomes.at(-1)?.kind, 'broken');
    });
  }
  test('a client that leaves cancels upstream', async () => {
    script = () => ({
      text: 'x',
      chunkBytes: 40,
      pace: (write) => (write < 3 ? Promise.resolve() : new Promise(() => {})),
    });
    const request = open('POST', '/v1/messages', { 'x-mezz-key': KEY });
    request.end(stream());
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const seen = lastSeen();
    response.destroy();
    await turn(() => seen.aborted);
    const outcome = kernel.outcomes.at(-1);
    assert.ok(outcome?.kind === 'broken' && outcome.refusal.code === 'cancelled');
  });
  test('a slow client stops the upstream, memory stays bounded, all bytes come', async () => {
    const chunk = (delta: object, finish: string | null) =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
    const middle = chunk({ content: 'y'.repeat(60_000) }, null).repeat(1500);
    const big = `${chunk({ role: 'assistant', content: '' }, null)}${middle}${chunk({}, 'stop')}data: [DONE]\n\n`;
    let writes = 0;
    script = () => ({
      raw: { body: big, type: 'text/event-stream' },
      chunkBytes: 60_000,
      pace: async () => {
        writes += 1;
      },
    });
    const request = open('POST', '/v1/chat/completions', { 'x-mezz-key': KEY });
    request.end(BODIES['/v1/chat/completions']?.(true));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let stalled = -1;
    // Nobody reads: the upstream must come to a halt long before the end.
    while (stalled !== writes) {
      stalled = writes;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(writes < 1200, `${writes} writes were taken from the upstream`);
    let length = 0;
    for await (const chunk of response) length += (chunk as Buffer).length;
    assert.equal(length, big.length);
  });
  test('refusals of the kernel keep code, status and call id', async () => {
    kernel.refuseWith = refusal('busy', 'Full.', { retryAfterMs: 1500 });
    const got = await send('POST', '/v1/messages', stream());
    kernel.refuseWith = undefined;
    assert.equal(got.status, 429);
    assert.equal(got.headers['retry-after'], '2');
    assert.equal(got.headers['x-mezz-call'], CALL);
  });
});

describe('other routes', () => {
  test('models in the shape of the vendor that asks', async () => {
    const openai = JSON.parse((await send('GET', '/v1/models')).body.toString());
    assert.equal(openai.object, 'list');
    const anthropic = await send('GET', '/v1/models', '', { 'anthropic-version': '2023-06-01' });
    assert.equal(JSON.parse(anthropic.body.toString()).first_id, 'claude-a');
    assert.equal((await send('GET', '/v1/models/claude-a')).status, 200);
    assert.equal((await send('GET', '/v1/models/none')).status, 404);
  });
  test('probes and health need no key', async () => {
    for (const [method, path] of [
      ['HEAD', '/'],
      ['HEAD', '/api/hello'],
      ['GET', '/healthz'],
      ['GET', '/readyz'],
    ] as const)
      assert.equal((await send(method, path, '', { 'x-mezz-key': undefined })).status, 200);
  });
  test('base URLs with and without /v1, and those of Codex with a login', async () => {
    script = () => ({});
    for (const base of ['', '/v1', '/backend-api/codex', `/a/${KEY}`, `/a/${KEY}/backend-api/codex`]) {
      assert.equal((await send('POST', `${base}/responses`, BODIES['/v1/responses']?.(false))).status, 200);
      assert.equal(lastSeen().url, '/v1/responses');
    }
  });
  test('objects that live upstream', async () => {
    script = () => ({});
    const got = await send('GET', '/v1/responses/resp_1?include=x');
    assert.equal(got.status, 200);
    assert.equal(lastSeen().url, '/v1/responses/resp_1?include=x');
    assert.deepEqual(kernel.calls.at(-1)?.facts.objects, ['resp_1']);
  });
  test('a hook that may go on answers nothing to Claude Code, a denial says why', async () => {
    const report = JSON.stringify({
      hook_event_name: 'PreToolUse',
      session_id: 's1',
      tool_name: 'Bash',
      tool_use_id: 'toolu_1',
      tool_input: { command: 'ls' },
    });
    assert.equal((await send('POST', '/hooks/claude', report)).body.toString(), '{}');
    assert.deepEqual(kernel.hooks.at(-1)?.input, { command: 'ls' });
    assert.equal(kernel.hooks.at(-1)?.toolUseId, 'toolu_1');
    kernel.answer = { decision: 'deny', refusal: refusal('denied', 'No.', { rule: 'r1' }) };
    const denied = JSON.parse((await send('POST', '/hooks/claude', report)).body.toString());
    assert.equal(denied.hookSpecificOutput.permissionDecision, 'deny');
    assert.match(denied.hookSpecificOutput.permissionDecisionReason, /No\..*r1/);
    const codex = JSON.parse((await send('POST', '/hooks/codex', report)).body.toString());
    assert.equal(codex.decision, 'deny');
    kernel.answer = { decision: 'go' };
    assert.equal(JSON.parse((await send('POST', '/hooks/codex', report)).body.toString()).decision, 'go');
    assert.equal((await send('POST', '/hooks/claude', 'nonsense')).status, 400);
  });
});
