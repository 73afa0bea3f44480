/** What clients can do to the door: every byte that is right passes, and nothing that is wrong hurts anybody else. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Launch } from '../../src/base/control.ts';
import { sha256Hex } from '../../src/base/hash.ts';
import { isRecord, parseJson } from '../../src/base/json.ts';
import { LIMITS, PATIENCE } from '../../src/gateway/limits.ts';
import { send, startKernel, type TestKernel } from '../kernel.ts';
import { bodiesFor, PATHS } from './bodies.ts';
import { cutEverywhere, STREAMED } from './cuts.ts';

const BODY = '{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}';
const HASTY = { ...PATIENCE, headersMs: 300, requestMs: 900, slowCheckMs: 50 };

let kernel: TestKernel;
let agent: Launch;
let hasty: TestKernel;
let slow: Launch;
let answers = Promise.resolve();
before(async () => {
  kernel = await startKernel(() => ({ text: 'Fine.', pace: () => answers }));
  agent = await kernel.agent();
  hasty = await startKernel(() => ({ text: 'Fine.' }), '', { patience: HASTY });
  slow = await hasty.agent();
});
after(async () => {
  for (const { control, close } of [kernel, hasty]) {
    assert.deepEqual((await control.call('audit.verify', {})).problems, []);
    assert.deepEqual((await control.call('fsck', {})).problems, []);
    await close();
  }
});

const post = (body: string | Buffer, headers: Record<string, string> = {}, path = '/v1/messages') =>
  send(`${agent.origin}${path}`, body, { 'x-mezz-key': agent.token, ...headers });
const reached = () => kernel.upstream.requests.length;
const goesOn = async () => assert.equal((await post(BODY)).status, 200, 'other calls go on');

/** The message of an error in the shape of the dialect that `path` belongs to. */
function errorIn(path: string, body: string): string {
  const error = parseJson(body);
  assert.ok(isRecord(error) && isRecord(error.error), body);
  assert.equal(error.type, path.includes('/messages') ? 'error' : undefined);
  if (!path.includes('/messages')) assert.equal(typeof error.error.code, 'string');
  assert.match(String(error.error.message), /^mezz: /);
  return String(error.error.message);
}

interface Conversation {
  readonly socket: Socket;
  /** All that came until the server closed. */
  readonly all: Promise<string>;
}
/** A connection that says `text` and, if it is `whole`, that this is all. */
function say(to: Launch, text: string, whole = false): Conversation {
  const socket = connect({ port: Number(new URL(to.origin).port), host: '127.0.0.1', allowHalfOpen: true });
  let got = '';
  socket.setEncoding('utf8').on('data', (chunk) => {
    got += chunk;
  });
  socket.on('error', () => {}).on('end', () => socket.end());
  socket.write(text);
  if (whole) socket.end();
  return { socket, all: new Promise((resolve) => socket.on('close', () => resolve(got))) };
}
const head = (to: Launch, more: string, path = '/v1/messages') =>
  `POST ${path} HTTP/1.1\r\nhost: ${new URL(to.origin).host}\r\nx-mezz-key: ${to.token}\r\n${more}\r\n`;
const whole = (to: Launch, body = BODY) => head(to, `content-length: ${body.length}\r\n`) + body;
const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((found) => Number(found[1]));

describe('bodies pass byte for byte', () => {
  const framings: Readonly<Record<string, (body: string) => [Buffer, Record<string, string>]>> = {
    plain: (body) => [Buffer.from(body), {}],
    chunked: (body) => [Buffer.from(body), { 'transfer-encoding': 'chunked' }],
    gzip: (body) => [gzipSync(body), { 'content-encoding': 'gzip' }],
    zstd: (body) => [zstdCompressSync(body), { 'content-encoding': 'zstd' }],
  };
  for (const path of PATHS)
    test(`of any shape on ${path}, in any framing`, async () => {
      for (const [shape, body] of Object.entries(bodiesFor(path)))
        for (const [framing, frame] of Object.entries(framings)) {
          const [bytes, headers] = frame(body);
          const reply = await post(bytes, headers, path);
          assert.equal(reply.status, 200, `${shape}, ${framing}: ${reply.body}`);
          assert.equal(kernel.upstream.requests.at(-1)?.sha256, sha256Hex(bytes), `${shape}, ${framing}`);
          assert.ok(reply.body.equals(kernel.upstream.answers.at(-1) as Buffer), `${shape}, ${framing}`);
        }
    });
});

describe('a stream that is cut gives whole events and one error event, never an end', () => {
  for (const path of STREAMED)
    test(`at chosen bytes of ${path}`, async () => {
      // Around the ends of events, where a splitter errs, and here and there inside them.
      const chosen = (bytes: Buffer) => {
        const points = new Set<number>();
        for (let at = 0; at >= 0 && points.size < 30; at = bytes.indexOf('\n\n', at + 2))
          for (const near of [at, at + 1, at + 2]) points.add(near);
        for (let at = 3; at < bytes.length; at += 331) points.add(at);
        return [...points, bytes.length - 2, bytes.length - 1, bytes.length];
      };
      assert.ok((await cutEverywhere(path, chosen)) > 20);
    });
});

describe('what is wrong with a body', () => {
  const wrong: Readonly<
    Record<string, [body: string | Buffer, status: number, headers?: Record<string, string>]>
  > = {
    'is empty': ['', 400],
    'is no object': ['[1]', 400],
    'stops early': [BODY.slice(0, -1), 400],
    'goes on after its end': [`${BODY}{}`, 400],
    'names the model twice': [BODY.replace('{', '{"model":"claude-y",'), 400],
    'names the model twice, once in escapes': [BODY.replace('{', '{"m\\u006fdel":"claude-y",'), 400],
    'is no UTF-8': [
      Buffer.concat([Buffer.from(BODY.slice(0, -1)), Buffer.from(',"x":"\xff"}', 'latin1')]),
      400,
    ],
    'begins with a byte order mark': [`\ufeff${BODY}`, 400],
    'is deeper than the bound': [BODY.replace('{', `{"x":${'['.repeat(200)}${']'.repeat(200)},`), 400],
    'has a number nobody writes': [BODY.replace('9', '09'), 400],
    'has a model that is none': [BODY.replace('"claude-x"', '{"a":1}'), 400],
    'is not what its encoding says': [BODY, 400, { 'content-encoding': 'zstd' }],
    'is in an unknown encoding': [BODY, 415, { 'content-encoding': 'compress' }],
  };
  for (const path of PATHS)
    test(`is told in the dialect of ${path}, and reaches nobody`, async () => {
      const before = reached();
      for (const [name, [body, status, headers]] of Object.entries(wrong)) {
        const reply = await post(body, headers, path);
        assert.equal(reply.status, status, `${name}: ${reply.body}`);
        errorIn(path, reply.body.toString());
      }
      assert.equal(reached(), before);
      await goesOn();
    });
  test('larger than the bound: told while it is still sent, declared or not', async () => {
    const before = reached();
    const bytes = Buffer.alloc(72 << 20, 0x20);
    for (const framing of ['content-length', 'transfer-encoding']) {
      const call = request(`${agent.origin}/v1/messages`, {
        method: 'POST',
        headers: {
          'x-mezz-key': agent.token,
          [framing]: framing === 'content-length' ? bytes.length : 'chunked',
        },
      });
      call.end(bytes);
      const [response] = await once(call, 'response');
      assert.equal(response.statusCode, 413);
      let text = '';
      for await (const part of response) text += part;
      assert.match(errorIn('/v1/messages', text), /at most 67108864 bytes/);
    }
    assert.equal(reached(), before);
    await goesOn();
  });
  test('bombs: small on the wire, told as too large, with bounded memory', async () => {
    const before = reached();
    const bomb = Buffer.alloc(100 << 20, 0x20);
    const packed = { gzip: gzipSync(bomb, { level: 1 }), zstd: zstdCompressSync(bomb) };
    const most = watchMemory();
    const bombs = Object.entries(packed).flatMap((one) => Array.from({ length: 4 }, () => one));
    const replies = await Promise.all(
      bombs.map(([encoding, bytes]) => post(bytes, { 'content-encoding': encoding })),
    );
    for (const { status, body } of replies) {
      assert.equal(status, 413);
      errorIn('/v1/messages', body.toString());
    }
    const grownBytes = most();
    assert.ok(
      grownBytes < 4 * LIMITS.bodyBytes.value,
      `${bombs.length} bombs took ${grownBytes} bytes at once`,
    );
    assert.equal(reached(), before);
    await goesOn();
  });
});

/** Watches buffers outside the heap; the function returned tells by how much they grew at most. */
function watchMemory(): () => number {
  const before = process.memoryUsage().arrayBuffers;
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  }, 2);
  return () => {
    clearInterval(timer);
    return most - before;
  };
}

describe('what is wrong with the framing', () => {
  test('a caller that closes its half has left: it is told so, and its call ends', async () => {
    for (const path of PATHS) {
      const text = await say(agent, whole(agent).replace('/v1/messages', path), true).all;
      assert.deepEqual(statuses(text), [499]);
      errorIn(path, text.slice(text.indexOf('\r\n\r\n') + 4));
    }
    assert.deepEqual((await kernel.control.call('calls', { state: 'running' })).calls, []);
    await goesOn();
  });
  const broken: Readonly<Record<string, [text: (to: Launch) => string, ends: boolean]>> = {
    'a body shorter than it says': [(to) => head(to, 'content-length: 500\r\n') + BODY, true],
    'two lengths': [
      (to) => head(to, `content-length: ${BODY.length}\r\ncontent-length: 5\r\n`) + BODY,
      false,
    ],
    'a length and chunks': [
      (to) => `${head(to, 'content-length: 5\r\ntransfer-encoding: chunked\r\n')}0\r\n\r\n`,
      false,
    ],
    'a negative length': [(to) => head(to, 'content-length: -1\r\n') + BODY, false],
    'chunks that are none': [(to) => `${head(to, 'transfer-encoding: chunked\r\n')}zz\r\n${BODY}`, false],
    'a header without a name': [(to) => head(to, ': x\r\n'), false],
    'a request without a Host': [
      (to) => `GET /v1/models HTTP/1.1\r\nx-mezz-key: ${to.token}\r\nconnection: close\r\n\r\n`,
      false,
    ],
    'no HTTP at all': [() => '\x16\x03\x01 garbage\r\n\r\n', false],
  };
  for (const [name, [text, ends]] of Object.entries(broken))
    test(`${name}: one clear error, the connection ends, nothing reaches anybody`, async () => {
      const before = reached();
      const got = await say(agent, text(agent), ends).all;
      assert.equal(statuses(got).length, 1, got);
      assert.ok((statuses(got)[0] ?? 0) >= 400, got);
      assert.match(got, /\r\n\r\n\{.*"message":"mezz: /s);
      assert.equal(reached(), before);
      await goesOn();
    });
  test('a broken body is told in the dialect of its request', async () => {
    const got = await say(agent, `${head(agent, 'transfer-encoding: chunked\r\n')}zz\r\n`).all;
    errorIn('/v1/messages', got.slice(got.indexOf('\r\n\r\n') + 4));
  });
  test('garbage behind a request does not touch its answer', async () => {
    const gate = Promise.withResolvers<void>();
    answers = gate.promise;
    const before = reached();
    const { all } = say(agent, `${whole(agent)}GARBAGE\r\n\r\n`);
    await kernel.upstream.seen(before + 1);
    gate.resolve();
    answers = Promise.resolve();
    const got = await all;
    assert.deepEqual(statuses(got), [200, 400], got);
    assert.ok(got.includes(String(kernel.upstream.answers.at(-1))));
    assert.equal(reached(), before + 1);
  });
  test('a body longer than it says: the call is the part that was said, the rest is garbage', async () => {
    const before = reached();
    const got = await say(agent, `${whole(agent)}${'x'.repeat(50)}\r\n\r\n`).all;
    assert.deepEqual(statuses(got), [200, 400], got);
    assert.equal(kernel.upstream.requests[before]?.body.toString(), BODY);
  });
});

describe('clients that are too slow', () => {
  /** Says `text` one byte at a time, for as long as the server listens. */
  function drip({ socket }: Conversation, text: string): void {
    let at = 0;
    const timer = setInterval(() => socket.write(text[at++ % text.length] as string), 20);
    for (const event of ['end', 'close']) socket.on(event, () => clearInterval(timer));
  }
  test('headers byte by byte, a body byte by byte, and silence end in an error; others go on meanwhile', async () => {
    const before = hasty.upstream.requests.length;
    const opening = `POST /v1/messages HTTP/1.1\r\nhost: ${new URL(slow.origin).host}\r\nx-slow: `;
    const kinds: [opening: string, drips: string | undefined, inDialect: boolean][] = [
      [opening, 'a', false],
      [opening, undefined, false],
      [head(slow, 'content-length: 5000\r\n'), ' ', true],
      [head(slow, 'content-length: 5000\r\n'), undefined, true],
      [head(slow, 'transfer-encoding: chunked\r\n'), '1\r\n \r\n', true],
    ];
    const conversations = kinds.flatMap(([text, drips, inDialect]) =>
      Array.from({ length: 20 }, () => {
        const conversation = say(slow, text);
        if (drips !== undefined) drip(conversation, drips);
        return { ...conversation, inDialect };
      }),
    );
    const url = `${slow.origin}/v1/messages`;
    for (let i = 0; i < 5; i++)
      assert.equal((await send(url, BODY, { 'x-mezz-key': slow.token })).status, 200);
    for (const { all, inDialect } of conversations) {
      const got = await all;
      assert.deepEqual(statuses(got), [408], got);
      errorIn(inDialect ? '/v1/messages' : '/', got.slice(got.indexOf('\r\n\r\n') + 4));
    }
    assert.equal(hasty.upstream.requests.length, before + 5);
    const { calls } = await hasty.control.call('calls', {});
    assert.equal(calls.length, 5, 'what never was a request is no call');
  });
});
