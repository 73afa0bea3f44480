/** What a tool server bears in a minute, and what its calls cost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Manifest } from '../base/manifest.ts';
import type { ToolServer } from '../base/ports.ts';
import { openGate, settle } from './fixture.test.ts';
import { proveBalances } from './proof.ts';

async function openRoom(perMinute: number | undefined, manifest: Manifest, breaks = false) {
  const rest = { ms: 0 };
  const sent: { readonly n: unknown; readonly at: number }[] = [];
  const server: ToolServer = {
    spec: {
      ...{ id: 'box', command: [], env: {}, cwd: '/', manifest: { tools: { get: manifest } } },
      ...(perMinute === undefined ? {} : { perMinute }),
    },
    osPid: undefined,
    said: '',
    describe: async () => ({ software: 'box', tools: [{ name: 'get' }] }),
    call: async (ticket, _tool, { n }) => {
      ticket.use();
      sent.push({ n, at: room.clock.now() });
      const { ms } = rest;
      rest.ms = 0;
      if (ms > 0) return { kind: 'broken', restMs: ms, refusal: { code: 'busy', message: 'too many' } };
      if (breaks) return { kind: 'broken', refusal: { code: 'in_doubt', message: 'box ended' } };
      return { kind: 'called', result: {}, isError: false };
    },
    close: async () => {},
  };
  const room = await openGate({ one: 1 }, {}, undefined, [server]);
  const start = room.clock.now();
  const call = async (n: number) => {
    const asked = { name: 'box__get', input: { n } };
    const { outcome } = await room.arrivals.tooled(room.caller, asked, new AbortController().signal);
    return 'code' in outcome ? outcome : outcome.kind;
  };
  const pass = async (ms: number) => {
    for (const end = room.clock.now() + ms; room.clock.now() < end; ) {
      room.clock.advanceTo(room.clock.now() + 1000);
      await settle();
    }
  };
  return {
    ...room,
    call,
    pass,
    rest,
    sent: () => sent.map(({ n, at }) => [n, Math.round((at - start) / 1000)]),
  };
}

test('beyond its calls a minute a server is waited for, in order, and no longer than a call waits for locks', async () => {
  const { call, pass, sent, parts, clock } = await openRoom(6, { resources: [], retry: 'pure' });
  const calls: ReturnType<typeof call>[] = [];
  for (let n = 0; n < 10; n++) {
    calls.push(call(n));
    await settle();
    clock.advanceTo(clock.now() + 1);
  }
  const burst = [0, 1, 2, 3, 4, 5].map((n) => [n, 0]);
  assert.deepEqual(sent(), burst);
  assert.deepEqual(
    [...parts.waits.all()].map(({ reason, resource }) => `${reason} ${resource}`),
    Array(4).fill('lock calls:box'),
  );
  await pass(40_000);
  assert.deepEqual(sent().slice(6, 8), [
    [6, 10],
    [7, 20],
  ]);
  const last = await calls[9];
  assert.ok(typeof last === 'object' && last.code === 'busy' && /calls of this minute/.test(last.message));
});

test('a server that asks to be left alone is, by all calls and in their order; one that asks for long is not waited for', async () => {
  const { call, pass, sent, rest, parts } = await openRoom(undefined, { resources: [], retry: 'pure' });
  rest.ms = 7000;
  const busy = await call(0);
  assert.ok(typeof busy === 'object' && busy.code === 'busy');
  const calls = [call(1), call(2)];
  await settle();
  assert.deepEqual(
    [...parts.waits.all()].map(({ reason, resource }) => `${reason} ${resource}`),
    Array(2).fill('lock calls:box'),
  );
  await pass(6000);
  assert.equal(sent().length, 1);
  await pass(2000);
  assert.deepEqual(await Promise.all(calls), ['called', 'called']);
  assert.deepEqual(sent(), [
    [0, 0],
    [1, 7],
    [2, 7],
  ]);
  rest.ms = 3_600_000;
  await call(3);
  const long = await call(4);
  assert.ok(typeof long === 'object' && /box has asked for no call for another 3600 s/.test(long.message));
  assert.equal(long.retryAfterMs, 3_600_000);
  assert.equal(sent().length, 4);
});

test('each sending of a tool with a price is charged: in the bill, against a strict budget, and as the journal proves', async () => {
  const { call, parts, agent } = await openRoom(undefined, { resources: [], costUsd: 0.01 });
  const limit = { scope: `agent:${agent.pid}`, dimension: 'usd', period: 'total', cap: 25_000_000 } as const;
  const { puts } = parts.ledger.setLimit({ ...limit, strict: true });
  await parts.store.commit({ puts });
  assert.deepEqual([await call(1), await call(2)], ['called', 'called']);
  const over = await call(3);
  assert.ok(typeof over === 'object' && over.code === 'over_budget', JSON.stringify(over));
  assert.equal(agent.cost, 20_000_000);
  const bill = [...parts.ledger.todaysBill()].filter(({ id }) => id.includes('box/get'));
  assert.ok(bill.length > 0 && bill.every(({ cost }) => cost === 20_000_000));
  assert.deepEqual((await proveBalances(parts)).problems, []);
});

test('a sending that nobody knows the end of is charged, too', async () => {
  const { call, parts, agent } = await openRoom(undefined, { resources: [], costUsd: 0.01 }, true);
  const doubt = await call(1);
  assert.ok(typeof doubt === 'object' && doubt.code === 'in_doubt');
  assert.equal(agent.cost, 10_000_000);
  assert.deepEqual((await proveBalances(parts)).problems, []);
});
