import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { PATIENCE } from '../src/gateway/limits.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';
import type { Script } from './upstream/upstream.ts';

/** A provider that takes so many requests a window, and refuses the others until the next one begins. */
function limited(perWindow: number, windowMs: number): { script: Script; refused: () => number } {
  let began = 0;
  let taken = 0;
  let refused = 0;
  return {
    refused: () => refused,
    script: () => {
      const now = performance.now();
      if (now - began >= windowMs) [began, taken] = [now, 0];
      if (taken++ < perWindow) return { text: 'Done.' };
      refused++;
      return { status: 429, headers: { 'retry-after-ms': String(Math.ceil(began + windowMs - now)) } };
    },
  };
}

/** Clients that are kept after a moment already. */
const IMPATIENT = { patience: { ...PATIENCE, quietMs: 100, heartbeatMs: 100 } };
const PATHS = ['/v1/messages', '/v1/chat/completions', '/v1/responses'] as const;
const bodyOf = (path: string, text: string, stream: boolean) =>
  JSON.stringify(
    path === '/v1/responses'
      ? { model: 'gpt-x', input: text, max_output_tokens: 50, stream }
      : {
          model: path === '/v1/messages' ? 'claude-x' : 'gpt-x',
          max_tokens: 50,
          stream,
          ...(stream && path === '/v1/chat/completions' ? { stream_options: { include_usage: true } } : {}),
          messages: [{ role: 'user', content: text }],
        },
  );

/** Three agents, six calls each, all at once; the statuses they got. */
async function flood(kernel: TestKernel): Promise<number[]> {
  const agents = await Promise.all(['a', 'b', 'c'].map((name) => kernel.agent(name)));
  const calls = agents.flatMap(({ origin, token }, who) =>
    PATHS.flatMap((path) =>
      [false, true].map(async (stream) => {
        const body = bodyOf(path, `${who} ${path} ${stream}`, stream);
        return (await send(`${origin}/a/${token}${path}`, body)).status;
      }),
    ),
  );
  return Promise.all(calls);
}

describe('an account that is over its rate limit', () => {
  test('agents get their answers and never a 429, in every dialect, streaming or not', async () => {
    const provider = limited(4, 400);
    const kernel = await startKernel(provider.script);
    try {
      const statuses = await flood(kernel);
      assert.deepEqual(
        statuses.filter((status) => status !== 200),
        [],
      );
      assert.ok(provider.refused() > 0, 'the limit was met');
      const { calls } = await kernel.control.call('calls', { limit: 50 });
      assert.ok(calls.length === 18 && calls.every(({ state }) => state === 'done'));
      assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
    } finally {
      await kernel.close();
    }
  });

  test('with on: fail its answers pass as they came', async () => {
    const provider = limited(4, 400);
    const kernel = await startKernel(provider.script, 'rateLimit: { on: fail }\n');
    try {
      const statuses = await flood(kernel);
      assert.equal(statuses.filter((status) => status === 429).length, provider.refused());
      assert.ok(provider.refused() > 0);
    } finally {
      await kernel.close();
    }
  });

  test('no more answers are open than mezz.yaml or the provider allows at once, and no agent sees a refusal', async () => {
    for (const [isStated, more] of [
      [true, 'accounts: { scripted: { streams: 2 } }\n'],
      [false, ''],
    ] as const) {
      let open = 0;
      let most = 0;
      let refused = 0;
      const message = 'Number of concurrent connections has exceeded your rate limit.';
      const kernel = await startKernel(() => {
        if (!isStated && open >= 2) {
          refused++;
          const body = JSON.stringify({ type: 'error', error: { type: 'rate_limit_error', message } });
          return { status: 429, raw: { body, type: 'application/json' } };
        }
        most = Math.max(most, ++open);
        const { promise: hold, resolve: go } = Promise.withResolvers<void>();
        setTimeout(() => {
          open--;
          go();
        }, 40);
        return { text: 'Done.', hold };
      }, more);
      try {
        const statuses = await flood(kernel);
        assert.deepEqual(new Set(statuses), new Set([200]));
        assert.equal(most, 2);
        const { rates } = await kernel.control.call('limits', { scope: 'account:scripted' });
        const from = isStated ? 'mezz.yaml' : 'refusals';
        const streams = rates.filter(({ of }) => of === 'streams');
        assert.deepEqual(new Set(streams.map((rate) => rate.from)), new Set([from]));
        assert.ok(
          streams.every((rate) => rate.left === rate.most),
          'none is open any more',
        );
        if (isStated) assert.equal(refused, 0);
        else assert.ok(refused > 0);
      } finally {
        await kernel.close();
      }
    }
  });

  for (const path of PATHS)
    test(`${path}: a stream that waits is kept alive, and ends like any other`, async () => {
      let seen = 0;
      const later = { status: 429, headers: { 'retry-after-ms': '600' } };
      const kernel = await startKernel(() => (seen++ === 0 ? later : { text: 'Done.' }), '', IMPATIENT);
      try {
        const agent = await kernel.agent('coder');
        const got = await send(`${agent.origin}/a/${agent.token}${path}`, bodyOf(path, 'x', true));
        assert.deepEqual([got.status, got.headers['content-type']], [200, 'text/event-stream']);
        assert.match(String(got.headers['x-mezz-call']), /^c/);
        const text = got.body.toString();
        const beat = /^((: mezz\n\n)|(event: ping\ndata: \{"type": "ping"\}\n\n))+/.exec(text)?.[0] ?? '';
        assert.ok(beat.length > 0);
        assert.equal(text.slice(beat.length), kernel.upstream.answers.at(-1)?.toString());
      } finally {
        await kernel.close();
      }
    });

  test('so is a stream that is held until its tool calls are decided', async () => {
    const { promise: written, resolve: write } = Promise.withResolvers<void>();
    const kernel = await startKernel(() => ({ text: 'Done.', hold: written }), 'hold: all\n', IMPATIENT);
    try {
      const agent = await kernel.agent('coder');
      const url = `${agent.origin}/a/${agent.token}/v1/messages`;
      const answered = send(url, bodyOf('/v1/messages', 'x', true));
      setTimeout(write, 500);
      const { status, body } = await answered;
      assert.equal(status, 200);
      const [, beats = '', rest] = /^((?:event: ping\n[^\n]*\n\n)+)([\s\S]*)$/.exec(body.toString()) ?? [];
      assert.ok(beats.length > 0, body.toString());
      assert.equal(rest, kernel.upstream.answers.at(-1)?.toString());
    } finally {
      write();
      await kernel.close();
    }
  });

  test('what its call comes to is told in the stream, where it has begun', async () => {
    let seen = 0;
    const script: Script = () =>
      seen++ === 0 ? { status: 429, headers: { 'retry-after-ms': '400' } } : { status: 400 };
    const kernel = await startKernel(script, '', IMPATIENT);
    try {
      const agent = await kernel.agent('coder');
      const ask = (stream: boolean) =>
        send(`${agent.origin}/a/${agent.token}/v1/messages`, bodyOf('/v1/messages', 'x', stream));
      const got = await ask(true);
      assert.equal(got.status, 200);
      assert.match(got.body.toString(), /event: error\ndata: .*The upstream answered 400/);
      seen = 0;
      assert.equal((await ask(false)).status, 400, 'nothing can be said while another answer is awaited');
    } finally {
      await kernel.close();
    }
  });

  test('mezz why names the limit, and killing the agent ends the wait', async () => {
    const kernel = await startKernel(() => ({ status: 429, headers: { 'retry-after': '300' } }));
    try {
      const agent = await kernel.agent('coder');
      const call = send(`${agent.origin}/a/${agent.token}/v1/messages`, bodyOf('/v1/messages', 'x', true));
      let waits: readonly { readonly waitsFor: string; readonly reasons: readonly string[] }[] = [];
      for (let i = 0; i < 200 && waits.length === 0; i++) {
        ({ waits } = await kernel.control.call('why', { subject: 'coder' }));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      assert.equal(waits[0]?.waitsFor, 'limit');
      assert.match(
        waits[0]?.reasons.join() ?? '',
        /^scripted claude-x: its provider refused .* in \d+ s,.*nice 0/,
      );
      await kernel.control.call('signal', { agent: 'coder', signal: 'kill' });
      assert.equal((await call).status, 403);
    } finally {
      await kernel.close();
    }
  });
});
