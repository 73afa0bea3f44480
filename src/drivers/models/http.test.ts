import assert from 'node:assert/strict';
import test, { after, before, describe } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Reply, startUpstream, type Upstream } from '../../../test/upstream/upstream.ts';
import { VirtualClock } from '../../base/clock.ts';
import type { AccountId, BackendId, CallId, Pid } from '../../base/ids.ts';
import type { ModelCall, ModelOutcome, ResponseSink } from '../../base/model.ts';
import type { CredentialKind } from '../../base/ports.ts';
import { mintTicket } from '../../base/ticket.ts';
import { DIALECTS } from '../../wire/registry.ts';
import { LIMITS } from '../limits.ts';
import { requestHeaders, responseHeaders } from './headers.ts';
import { HttpModelBackend } from './http.ts';
import { KeyGuard } from './keyguard.ts';

const IDLE_MS = 30_000;
const BODY = '{"model":"m","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}';

class MemorySink implements ResponseSink {
  status = 0;
  bytes = Buffer.alloc(0);
  transformed(): void {}
  waits(): void {}
  head(status: number): void {
    this.status = status;
  }
  write(bytes: Uint8Array): boolean {
    this.bytes = Buffer.concat([this.bytes, bytes]);
    return true;
  }
  drained(): Promise<void> {
    return Promise.resolve();
  }
}

let upstream: Upstream;
let reply: Reply = {};
const clock = new VirtualClock();
const backends: HttpModelBackend[] = [];

before(async () => {
  upstream = await startUpstream(() => reply);
});
after(async () => {
  await Promise.all(backends.map((backend) => backend.close()));
  await upstream.close();
});

function backendAt(url: string): HttpModelBackend {
  const backend = new HttpModelBackend(
    {
      id: 'b' as BackendId,
      url,
      dialects: ['anthropic'],
      credential: 'local',
      provider: 'x',
      account: 'a' as AccountId,
      slots: 4,
      idleTimeoutMs: IDLE_MS,
    },
    clock,
    () => [],
  );
  backends.push(backend);
  return backend;
}
const ticket = (credential: CredentialKind = 'local') =>
  mintTicket({ call: 'c1' as CallId, agent: 1 as Pid, attempt: 1, credential });

function callWith(signal: AbortSignal = new AbortController().signal): ModelCall & { sink: MemorySink } {
  const body = Buffer.from(BODY);
  const facts = DIALECTS.anthropic.readRequest(body);
  assert.ok(!('problem' in facts));
  return {
    dialect: 'anthropic',
    method: 'POST',
    path: '/messages',
    headers: ['content-type', 'application/json'],
    body,
    decoded: body,
    facts,
    sink: new MemorySink(),
    signal,
  };
}
const until = async (check: () => boolean) => {
  while (!check()) await new Promise((resolve) => setImmediate(resolve));
};

describe('a model backend over HTTP', () => {
  test('streams all but the end, which comes as the tail', async () => {
    reply = { text: 'hello' };
    const call = callWith();
    const outcome = await backendAt(`${upstream.origin}/v1`).perform(ticket(), call);
    assert.ok(outcome.kind === 'answered' && outcome.headSent);
    assert.deepEqual(Buffer.concat([call.sink.bytes, outcome.tail]), upstream.answers.at(-1));
    assert.match(outcome.tail.toString(), /message_stop/);
    assert.equal(outcome.bytesOut, upstream.answers.at(-1)?.length);
  });
  test('silence for longer than the bound breaks the call; each chunk starts the count anew', async () => {
    const second = Promise.withResolvers<void>();
    reply = {
      text: 'hello',
      chunkBytes: 400,
      pace: (write) =>
        write === 0 ? Promise.resolve() : write === 1 ? second.promise : new Promise(() => {}),
    };
    const call = callWith();
    const performed = backendAt(`${upstream.origin}/v1`).perform(ticket(), call);
    let settled = false;
    void performed.then(() => {
      settled = true;
    });
    await until(() => call.sink.bytes.length > 0);
    clock.advanceTo(clock.now() + IDLE_MS - 1);
    const before = call.sink.bytes.length;
    second.resolve();
    await until(() => call.sink.bytes.length > before);
    clock.advanceTo(clock.now() + IDLE_MS - 1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(settled, false);
    clock.advanceTo(clock.now() + 1);
    const outcome = await performed;
    assert.ok(outcome.kind === 'broken' && outcome.refusal.code === 'upstream_timeout');
    await until(() => upstream.requests.at(-1)?.aborted === true);
  });
  test('a client that reads nothing for too long has left, and its upstream is cut', async () => {
    reply = {
      text: 'hello',
      chunkBytes: 400,
      pace: (write) => (write < 2 ? Promise.resolve() : new Promise(() => {})),
    };
    const call = callWith();
    const full = Promise.withResolvers<void>();
    const sink = Object.assign(new MemorySink(), {
      write: () => {
        full.resolve();
        return false;
      },
      drained: () => new Promise<void>(() => {}),
    });
    const performed = backendAt(`${upstream.origin}/v1`).perform(ticket(), { ...call, sink });
    await full.promise;
    clock.advanceTo(clock.now() + LIMITS.readerMs.value);
    const outcome = await performed;
    assert.ok(outcome.kind === 'broken' && outcome.refusal.code === 'cancelled');
    assert.match(outcome.refusal.message, /read nothing/);
    await until(() => upstream.requests.at(-1)?.aborted === true);
  });
  test('nobody there: unreachable, and nothing was sent', async () => {
    const gone = await startUpstream(() => ({}));
    await gone.close();
    const outcome = await backendAt(gone.origin).perform(ticket(), callWith());
    assert.ok(outcome.kind === 'broken' && outcome.refusal.code === 'unreachable');
    assert.equal(outcome.sent, false);
  });
  test('a cut before and after the headers: sent, and upstream_cut', async () => {
    for (const cut of ['before_headers', 0, 'mid_event'] as const) {
      reply = { cut };
      const outcome = await backendAt(`${upstream.origin}/v1`).perform(ticket(), callWith());
      assert.ok(outcome.kind === 'broken', String(cut));
      assert.deepEqual([outcome.refusal.code, outcome.sent], ['upstream_cut', true], String(cut));
      assert.equal(outcome.headSent, cut !== 'before_headers');
    }
  });
  test('a call cancelled before it starts is never sent', async () => {
    const seen = upstream.requests.length;
    const outcome = await backendAt(`${upstream.origin}/v1`).perform(ticket(), callWith(AbortSignal.abort()));
    assert.ok(outcome.kind === 'broken' && outcome.refusal.code === 'cancelled');
    assert.equal(outcome.sent, false);
    assert.equal(upstream.requests.length, seen);
  });
  test('what is known of a partial answer stays known', async () => {
    reply = { cut: 'mid_event', usage: { input: 21 } };
    const outcome = await backendAt(`${upstream.origin}/v1`).perform(ticket(), callWith());
    assert.ok(outcome.bytesOut > 0);
    assert.equal(outcome.facts.usage?.input, 21);
  });
  test('a ticket admits one performance', async () => {
    reply = {};
    const once = ticket();
    const backend = backendAt(`${upstream.origin}/v1`);
    await backend.perform(once, callWith());
    assert.throws(() => void backend.perform(once, callWith()), /used twice/);
  });
});

describe("mezz's own key in an answer", () => {
  const KEY = 'sk-ours-1234567890';
  const guard = new KeyGuard(['authorization', `Bearer ${KEY}`]);
  const answered = (tail: Buffer, headers: string[] = []): ModelOutcome => ({
    kind: 'answered',
    status: 401,
    headers,
    headSent: false,
    tail,
    facts: { intents: [], objects: [] },
    upstreamError: true,
    firstByteAtMs: 0,
    bytesOut: tail.length,
  });
  test('is starred out of headers, streams and bodies, compressed ones too; other bytes stay', async () => {
    const sink = new MemorySink();
    const guarded = guard.sink(sink);
    guarded.head(200, ['x-a', `it is ${KEY}.`]);
    guarded.write(Buffer.from(`é ${KEY} ü ${KEY}`));
    assert.equal(sink.bytes.toString(), `é ${'*'.repeat(KEY.length)} ü ${'*'.repeat(KEY.length)}`);
    for (const [tail, headers] of [
      [Buffer.from(`wrong key ${KEY}`), []],
      [gzipSync(`wrong key ${KEY}`), ['content-encoding', 'gzip']],
    ] as const) {
      const outcome = await guard.outcome(answered(tail, [...headers, 'x-key', KEY]));
      assert.ok(outcome.kind === 'answered');
      assert.equal(Buffer.from(outcome.tail).toString(), `wrong key ${'*'.repeat(KEY.length)}`);
      assert.deepEqual(outcome.headers, ['x-key', '*'.repeat(KEY.length)]);
    }
    const packed = gzipSync('no key here');
    const passed = await guard.outcome(answered(packed, ['content-encoding', 'gzip']));
    assert.ok(passed.kind === 'answered' && passed.tail === packed);
    assert.deepEqual(passed.headers, ['content-encoding', 'gzip']);
  });
});

describe('headers', () => {
  const login = (credential: CredentialKind, provider = 'anthropic') => ({
    credential,
    provider,
    key: ['authorization', 'ours'],
  });
  const client = [
    'Host',
    'h',
    'Authorization',
    'Bearer theirs',
    'x-api-key',
    'theirs',
    'X-Mezz-Key',
    'k',
    'A',
    'b',
  ];
  test('carry the client login, the kernel key, or none', () => {
    assert.deepEqual(requestHeaders(client, login('local'), false), ['A', 'b']);
    assert.deepEqual(requestHeaders(client, login('kernel'), false), ['A', 'b', 'authorization', 'ours']);
    const own = requestHeaders(client, login('client'), false);
    assert.deepEqual(own, ['Authorization', 'Bearer theirs', 'x-api-key', 'theirs', 'A', 'b']);
  });
  test('carry no login but the one that is used there', () => {
    const mixed = ['authorization', 'Bearer a', 'x-api-key', 'b', 'Cookie', 'c', 'x-goog-api-key', 'd'];
    const more = ['proxy-authorization', 'Basic e', 'chatgpt-account-id', 'f', 'api-key', 'g'];
    const sentTo = (provider: string) =>
      requestHeaders([...mixed, ...more], login('client', provider), false);
    assert.deepEqual(sentTo('anthropic'), ['authorization', 'Bearer a', 'x-api-key', 'b']);
    assert.deepEqual(sentTo('openai'), ['authorization', 'Bearer a']);
    assert.deepEqual(sentTo('chatgpt'), ['authorization', 'Bearer a', 'chatgpt-account-id', 'f']);
  });
  test('ask for streams uncompressed, for whole answers as the client does', () => {
    const asking = ['Accept-Encoding', 'gzip'];
    assert.deepEqual(requestHeaders(asking, login('local'), true), ['accept-encoding', 'identity']);
    assert.deepEqual(requestHeaders(asking, login('local'), false), asking);
  });
  test('of an answer: an upstream cannot speak as mezz', () => {
    const answer = ['Content-Length', '3', 'x-mezz-call', 'forged', 'X-Request-Id', 'r'];
    assert.deepEqual(responseHeaders(answer), ['X-Request-Id', 'r']);
  });
});
