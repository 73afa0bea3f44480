import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ToolAnswer, ToolServer } from '../base/ports.ts';
import { CALL } from '../db/schema/journal.ts';
import type { Batch } from '../db/store.ts';
import { memosOf, openGate, settle } from './fixture.test.ts';
import { proveBalances } from './proof.ts';
import { recover } from './recovery.ts';

/** A server whose answers come when a test says so. */
function newServer() {
  const asked: { readonly tool: string; answer(answer: ToolAnswer): void }[] = [];
  const server: ToolServer = {
    spec: { id: 'box', command: [], env: {}, cwd: '/' },
    osPid: undefined,
    said: '',
    describe: async () => ({ software: 'box', tools: [{ name: 'put' }, { name: 'get' }] }),
    call: (ticket, tool) =>
      new Promise((answer) => {
        ticket.use();
        asked.push({ tool, answer });
      }),
    close: async () => {},
  };
  return { server, asked };
}

const DONE: ToolAnswer = { kind: 'called', result: { content: [] }, isError: false };

test('tools of a server without a manifest run one at a time, also those of one agent, and END gives the locks back', async () => {
  const { server, asked } = newServer();
  const { arrivals, caller, parts } = await openGate({ one: 1 }, {}, undefined, [server]);
  const signal = new AbortController().signal;
  const calls = ['box__put', 'box__get'].map((name, n) =>
    arrivals.tooled(caller, { name: name, input: { n } }, signal),
  );
  await settle();
  assert.deepEqual(
    [
      asked.map(({ tool }) => tool),
      [...parts.waits.all()].map(({ reason, resource }) => `${reason} ${resource}`),
    ],
    [['put'], ['lock server:box']],
  );
  asked[0]?.answer(DONE);
  await calls[0];
  await settle();
  asked[1]?.answer({ kind: 'called', result: {}, isError: true });
  await calls[1];
  assert.equal(parts.broker.locks.busy, 0);
  const rows = await parts.store.range(CALL, { limit: 10 });
  assert.deepEqual(rows.map(({ state }) => state).sort(), ['done', 'failed']);
  assert.deepEqual((await proveBalances(parts)).problems, []);
});

test('a tool call is two commits of a bounded number of rows, decided once, from memory the second time', async () => {
  const { server, asked } = newServer();
  const batches: Batch[] = [];
  const hooks = { beforeCommit: (batch: Batch) => Promise.resolve(void batches.push(batch)) };
  const { arrivals, caller, parts } = await openGate(undefined, hooks, undefined, [server]);
  const memos = memosOf(parts);
  const call = async (n: number) => {
    batches.length = 0;
    const told = arrivals.tooled(caller, { name: 'box__get', input: { n } }, new AbortController().signal);
    await settle();
    asked.at(-1)?.answer(DONE);
    await told;
    return batches.map(({ entries = [], puts = [] }) => [
      ...entries.map(({ kind }) => kind),
      ...puts.map(({ table }) => table.name).sort(),
    ]);
  };
  await call(1);
  const [start = [], end = [], ...more] = await call(2);
  assert.deepEqual(more, []);
  // Two scopes (agent, owner) in three periods.
  const balances = Array<string>(2).fill('balance');
  const booked = ['call.start', 'agent', ...balances, 'call', 'tool_use', 'usage'];
  assert.deepEqual(start, booked);
  assert.deepEqual(end, ['call.end', 'agent', 'call', 'change', 'tool_use']);
  assert.deepEqual(memos, [false, true]);
  const { seen, decided } = parts.agents.get(caller.pid ?? 0) ?? {};
  assert.deepEqual([seen, decided], [2, 2]);
});

test('after a crash a call at a tool server is in doubt and was sent once; a hooked one goes on', async () => {
  const { server, asked } = newServer();
  const { arrivals, caller, parts, tool } = await openGate({ one: 1 }, {}, undefined, [server]);
  void arrivals.tooled(caller, { name: 'box__put', input: {} }, new AbortController().signal);
  await tool('ls', 'use-1');
  await settle();
  // What the next kernel on this store does first.
  assert.equal(await recover(parts), 1);
  const rows = await parts.store.range(CALL, { limit: 10 });
  assert.deepEqual(rows.map(({ target, state }) => `${target} ${state}`).sort(), [
    'box/put in_doubt',
    'generic/Bash running',
  ]);
  assert.equal(asked.length, 1);
  assert.deepEqual((await proveBalances(parts)).problems, []);
});
