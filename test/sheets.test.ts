/** The operator's sheets on a real kernel: what top, free and pmap say is what happened. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { send, startKernel } from './kernel.ts';

const SYSTEM = 'be brief '.repeat(50);
const TOOLS = [{ name: 'Bash', description: 'x'.repeat(500), input_schema: { type: 'object' } }];

const ask = (origin: string, token: string, text: string) =>
  send(
    `${origin}/v1/messages`,
    JSON.stringify({
      model: 'claude-sonnet-4-5',
      max_tokens: 100,
      system: SYSTEM,
      tools: TOOLS,
      messages: [{ role: 'user', content: text }],
    }),
    { 'x-mezz-key': token },
  );

test('top adds up what the calls of the last hour used; the context is the fullest of the last requests', async () => {
  const soon = Math.floor(Date.now() / 1000) + 3600;
  const plan = (name: string, share: number, reset: number) => ({
    [`anthropic-ratelimit-unified-${name}-utilization`]: String(share),
    [`anthropic-ratelimit-unified-${name}-reset`]: String(reset),
  });
  const headers = { ...plan('5h', 0.42, soon), ...plan('7d', 0.97, 1) };
  const kernel = await startKernel(() => ({ headers }));
  try {
    const one = await kernel.agent('one');
    await kernel.agent('two');
    for (const text of ['a', 'b', 'c']) await ask(one.origin, one.token, text);
    const { agents, spanMs, kernel: about } = await kernel.control.call('top', {});
    const { agents: rows } = await kernel.control.call('ps', {});
    const [first, second] = agents;
    const used = rows[0]?.usage;
    assert.ok(used && used.input > 0);
    assert.deepEqual(first?.recent, {
      requests: 3,
      tokens: used.input + used.cacheRead + used.cacheWrite + used.output,
      cost: rows[0]?.cost,
    });
    assert.deepEqual([second?.recent.requests, second?.context], [0, null]);
    assert.equal(first?.context?.tokens, (used.input + used.cacheRead + used.cacheWrite) / 3);
    assert.equal(first?.context?.cached, used.cacheRead / 3);
    assert.equal(first?.context?.window, 200_000, 'as the public list of models says');
    assert.equal(spanMs, 3_600_000);
    assert.deepEqual(
      first?.plan,
      { name: '5h', usedShare: 0.42, resetsAt: soon * 1000 },
      'the other is over',
    );
    assert.equal(second?.plan, null);
    await kernel.restart();
    const later = await kernel.control.call('top', {});
    assert.deepEqual(later.agents[0]?.recent, first?.recent, 'a restart forgets nothing of it');
    assert.ok(later.kernel.startedAt > about.startedAt);
  } finally {
    await kernel.close();
  }
});

test('free counts a slot while it is taken, who waits for one, and what is left of a limit', async () => {
  let letGo = () => {};
  const hold = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const kernel = await startKernel(() => ({ text: 'ok', hold }));
  try {
    const { origin, token } = await kernel.agent();
    const calls = Array.from({ length: 6 }, (_, at) => ask(origin, token, `call ${at}`));
    const slots = async () => {
      const { backends, waiting } = await kernel.control.call('free', {});
      const one = backends.find(({ id }) => id === 'scripted');
      return [one?.busy, one?.waiting, waiting];
    };
    while ((await slots()).join() !== '4,2,2');
    const [row] = (await kernel.control.call('ps', {})).agents;
    assert.deepEqual([row?.state, row?.waitsFor], ['running', 'slot scripted'], 'one of its calls runs');
    letGo();
    await Promise.all(calls);
    assert.deepEqual(await slots(), [0, 0, 0]);
    await kernel.control.call('limit.set', {
      scope: 'owner:me',
      dimension: 'requests',
      period: 'total',
      cap: 10,
    });
    const { limits, journal, memory, diskFreeBytes } = await kernel.control.call('free', {});
    assert.deepEqual([limits[0]?.cap, limits[0]?.used], [10, 6]);
    assert.ok(journal.entries > 12 && journal.blobBytes > SYSTEM.length);
    assert.ok(memory.residentBytes > memory.heapBytes && memory.heapBytes > 0 && diskFreeBytes > 0);
  } finally {
    letGo();
    await kernel.close();
  }
});

test('pmap takes the stored request apart, to the byte, and says why where there is none', async () => {
  const kernel = await startKernel();
  try {
    const { origin, token, name } = await kernel.agent('mapped');
    const before = await kernel.control.call('pmap', { agent: name });
    assert.deepEqual([before.context, before.pieces], [null, []]);
    assert.match(before.why ?? '', /No answered model call/);
    await ask(origin, token, 'what is this?');
    const map = await kernel.control.call('pmap', { agent: name });
    const bytesOf = (what: string) => map.pieces.find((piece) => piece.what === what)?.bytes;
    assert.equal(bytesOf('system'), JSON.stringify(SYSTEM).length);
    assert.equal(bytesOf('tools'), JSON.stringify(TOOLS[0]).length);
    assert.equal(
      map.pieces.reduce((sum, { bytes }) => sum + bytes, 0),
      map.bytes,
    );
    const tokens = map.pieces.reduce((sum, piece) => sum + (piece.tokens ?? 0), 0);
    assert.ok(Math.abs(tokens - (map.context?.tokens ?? 0)) <= map.pieces.length, 'shared out, each rounded');
    assert.deepEqual([map.largest[0]?.what, map.largest[0]?.name], ['tools', 'Bash']);
    await kernel.control.call('forget', { agent: name });
    const forgotten = await kernel.control.call('pmap', { agent: name });
    assert.match(forgotten.why ?? '', /not stored/);
    assert.deepEqual(forgotten.pieces, []);
  } finally {
    await kernel.close();
  }
});
