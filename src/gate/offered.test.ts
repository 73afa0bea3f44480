/** The ledger of tool uses: what is a repetition, and what becomes of a call that nobody knows the end of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ToolAnswer, ToolServer } from '../base/ports.ts';
import { CALL } from '../db/schema/journal.ts';
import { USE } from '../db/schema/tools.ts';
import { LIMITS as TOOL_LIMITS } from '../tools/limits.ts';
import { openGate, settle } from './fixture.test.ts';
import type { Asked } from './offered.ts';
import { toolEnded } from './outcomes.ts';
import { recover } from './recovery.ts';

type Call = { readonly tool: string; readonly input: unknown; answer(answer: ToolAnswer): void };

const TOOLS = ['write_file', 'edit_file', 'read_text_file', 'get_file_info'];
const EDIT: Asked = { name: 'box__edit_file', input: { path: '/a', edits: [] } };

/** A server whose answers come when a test says so; its tools are those of the official filesystem server. */
function newServer() {
  const asked: Call[] = [];
  const server: ToolServer = {
    spec: { id: 'box', command: [], env: {}, cwd: '/' },
    osPid: undefined,
    said: '',
    describe: async () => ({
      software: 'secure-filesystem-server',
      tools: TOOLS.map((name) => ({ name, inputSchema: { properties: { path: { type: 'string' } } } })),
    }),
    call: (ticket, tool, input) =>
      new Promise((answer) => {
        ticket.use();
        asked.push({ tool, input, answer });
      }),
    close: async () => {},
  };
  return { server, asked };
}

const did = (text: string): ToolAnswer => ({
  kind: 'called',
  result: { content: [{ type: 'text', text }] },
  isError: false,
});
const LOST: ToolAnswer = { kind: 'broken', refusal: { code: 'in_doubt', message: 'box ended' } };

async function openRoom() {
  const { server, asked } = newServer();
  const room = await openGate({ one: 1 }, {}, undefined, [server]);
  const { arrivals, caller, parts, store } = room;
  // Compiled before, so that what a test begins has begun when it looks.
  for (const name of TOOLS) {
    const found = await parts.servers.find(`box__${name}`);
    if (!('code' in found)) await parts.arguments.check(found, {});
  }
  parts.loops.tune({ repeats: 1000, windowMs: 60_000, nanoUsdPerHour: 1e15 });
  /** Until the server was asked so often; the first call of a tool compiles its definition. */
  const reach = async (count: number) => {
    for (let i = 0; i < 1000 && asked.length < count; i++) await settle();
  };
  return {
    ...room,
    asked,
    reach,
    server,
    call: (what: Asked, signal = new AbortController().signal) => arrivals.tooled(caller, what, signal),
    states: async () => (await store.range(CALL, { limit: 50 })).map(({ state }) => state),
    /** The next kernel on this store; the first one is never heard of again. */
    crash: async () => {
      const next = await openGate({ one: 1 }, {}, undefined, [server], store);
      next.parts.settings = parts.settings;
      const doubts = await recover(next.parts);
      const again = (what: Asked) => next.arrivals.tooled(caller, what, new AbortController().signal);
      return { doubts, uses: next.parts.uses, offered: next.arrivals.offered, again };
    },
  };
}

test('a named use is made once: its repetition waits for the outcome, and later gets it from the ledger', async () => {
  const { call, asked, parts } = await openRoom();
  const named = { ...EDIT, use: 'toolu_1' };
  const [first, second] = [call(named), call(named)];
  await settle();
  assert.equal(asked.length, 1);
  asked[0]?.answer(did('edited'));
  assert.deepEqual(await second, await first);
  const third = await call(named);
  assert.deepEqual(third, await first);
  const other = await call({ ...named, input: { path: '/b', edits: [] } });
  assert.equal('code' in other.outcome && other.outcome.code, 'bad_request');
  assert.equal(asked.length, 1);
  assert.equal(parts.broker.counts.absorbed, 2, 'what has other arguments repeats nothing');
  assert.deepEqual(
    parts.broker.events.map(({ kind, call: id }) => [kind, id]),
    [1, 2].map(() => ['absorbed', third.call]),
  );
});

test('a second decision of the model runs: an equal call under another name, or after the first was told', async () => {
  const { call, asked, parts, reach, store } = await openRoom();
  const runs = [call({ ...EDIT, use: 'toolu_1' }), call({ ...EDIT, use: 'toolu_2' }), call(EDIT), call(EDIT)];
  for (const [n, run] of runs.entries()) {
    await reach(n + 1);
    asked[n]?.answer(did('edited'));
    const { call: id } = await run;
    parts.uses.told(id ?? '', true);
  }
  assert.equal(asked.length, 4);
  assert.equal(parts.broker.counts.absorbed, 0);
  await store.commit({ deletes: parts.uses.takeDue() });
  assert.deepEqual(
    (await store.range(USE, { limit: 9 })).map(({ use }) => use).sort(),
    ['toolu_1', 'toolu_2'],
    'what was told and has no name is forgotten',
  );
});

test('a call whose client is gone before the answer goes on where a cut cancels nothing, and an equal one gets its answer', async () => {
  const { call, asked, parts, clock } = await openRoom();
  const cut = new AbortController();
  const first = call({ ...EDIT, outlives: true }, cut.signal);
  await settle();
  cut.abort();
  const second = call(EDIT);
  await settle();
  asked[0]?.answer(did('edited'));
  assert.deepEqual(await second, await first);
  parts.uses.told((await first).call ?? '', false);
  assert.deepEqual(await call(EDIT), await first);
  parts.uses.told((await first).call ?? '', false);
  clock.advanceTo(clock.now() + 600_001);
  void call(EDIT);
  await settle();
  assert.equal(asked.length, 2, 'after a while it is a new decision');
});

test('after a crash an unsafe call is in doubt: who repeats it is told, nothing is done, and a person decides', async () => {
  const { call, asked, crash, states, store } = await openRoom();
  void call({ ...EDIT, use: 'toolu_1' });
  await settle();
  const { doubts, uses, offered } = await crash();
  assert.equal(doubts, 1);
  assert.deepEqual(
    uses.doubts().map(({ use, state }) => [use, state]),
    [['toolu_1', 'in_doubt']],
  );
  const [doubt] = uses.doubts();
  const id = doubt?.call ?? '';
  await offered.settleDoubts();
  assert.equal(asked.length, 1, 'nobody but a person may decide');
  assert.deepEqual(await states(), ['in_doubt']);
  const done = offered.resolve(id, 'done');
  assert.equal('kind' in (await done), true);
  assert.deepEqual(await states(), ['done']);
  assert.equal((await store.get(USE, [id]))?.state, 'done');
  const again = await offered.resolve(id, 'abandon');
  assert.equal('code' in again && again.code, 'not_found');
});

test('what may be made again is, once, under the same call, when its server ends; what may not is in doubt', async () => {
  const { call, asked, states, parts } = await openRoom();
  for (const name of ['box__read_text_file', 'box__write_file', 'box__edit_file']) {
    const made = call({ name, input: { path: '/a' } });
    await settle();
    asked.at(-1)?.answer(LOST);
    await settle();
    asked.at(-1)?.answer(LOST);
    const { outcome } = await made;
    assert.equal('code' in outcome && outcome.code, 'in_doubt');
  }
  assert.deepEqual(
    asked.map(({ tool }) => tool),
    ['read_text_file', 'read_text_file', 'write_file', 'write_file', 'edit_file'],
  );
  assert.deepEqual(await states(), ['in_doubt', 'in_doubt', 'in_doubt']);
  assert.deepEqual(
    parts.uses.doubts().map(({ tool }) => tool),
    ['box__write_file', 'box__edit_file'],
    'what changes nothing leaves no doubt',
  );
});

test('after a crash what may be made again is, with its arguments; a person may do so with the rest, or give it up', async () => {
  const { call, asked, crash, states, parts } = await openRoom();
  parts.settings = { ...parts.settings, bodies: 'keep' };
  for (const [name, path] of [
    ['box__write_file', '/w'],
    ['box__edit_file', '/e'],
    ['box__edit_file', '/f'],
    ['box__read_text_file', '/r'],
  ] as const)
    void call({ name, input: { path }, use: path });
  await settle();
  assert.equal(asked.length, 4);
  const { offered, doubts, uses } = await crash();
  assert.deepEqual([doubts, (await states()).sort()], [3, ['failed', 'in_doubt', 'in_doubt', 'in_doubt']]);
  const settling = offered.settleDoubts();
  await settle();
  assert.deepEqual(
    asked.slice(4).map(({ tool, input }) => [tool, input]),
    [['write_file', { path: '/w' }]],
  );
  asked[4]?.answer(did('written'));
  await settling;
  const [one, other] = uses.doubts().map(({ call: id }) => id);
  const retried = offered.resolve(one ?? '', 'retry');
  await settle();
  asked[5]?.answer(did('edited'));
  assert.deepEqual(await retried, { ...did('edited') });
  assert.equal('code' in (await offered.resolve(other ?? '', 'abandon')), true);
  assert.deepEqual(uses.doubts(), []);
  assert.equal(asked.length, 6);
  assert.deepEqual((await states()).sort(), ['done', 'done', 'failed', 'failed']);
  assert.equal(uses.get(other ?? '')?.state, 'given_up');
});

test('what was made again after a crash is the answer to an equal call that nobody named', async () => {
  const { call, asked, reach, crash, parts } = await openRoom();
  parts.settings = { ...parts.settings, bodies: 'keep' };
  const write: Asked = { name: 'box__write_file', input: { path: '/w' } };
  void call(write);
  await reach(1);
  const { offered, again } = await crash();
  const settling = offered.settleDoubts();
  await reach(2);
  asked[1]?.answer(did('written'));
  await settling;
  assert.deepEqual((await again(write)).outcome, did('written'));
  assert.equal(asked.length, 2);
});

test('what a server bears at once runs, more waits by name; a server that only fails gets none for a while', async () => {
  const { call, asked, parts, server } = await openRoom();
  Object.assign(server.spec, { calls: 2 });
  const reads = [1, 2, 3].map((n) => call({ name: 'box__get_file_info', input: { path: `/${n}` } }));
  await settle();
  assert.equal(asked.length, 2);
  assert.deepEqual(
    [...parts.waits.all()].map(({ reason, resource }) => `${reason} ${resource}`),
    ['lock calls:box'],
  );
  asked[0]?.answer(did('here'));
  await reads[0];
  await settle();
  for (const one of asked.slice(1)) one.answer(did('here'));
  await Promise.all(reads);
  assert.equal(asked.length, 3);
  assert.equal(parts.broker.locks.taken('calls:box'), 0);
  for (let n = 0; n < TOOL_LIMITS.failuresInRow.value; n++) {
    const lost = call({ name: 'box__edit_file', input: { path: '/a', n } });
    await settle();
    asked.at(-1)?.answer(LOST);
    await lost;
  }
  const { outcome } = await call(EDIT);
  assert.equal('code' in outcome && outcome.code, 'unreachable');
});

test('wrong arguments never reach the server, and are no call', async () => {
  const { call, asked, states } = await openRoom();
  const { outcome } = await call({ name: 'box__write_file', input: { path: 7 } });
  assert.match('code' in outcome ? outcome.message : '', /\/path must be string/);
  assert.deepEqual([asked.length, await states()], [0, []]);
});

test('a hook that asks again for a use that was let go is answered as before; other arguments, and a use that has ended, are decided', async () => {
  const { tool, states, parts, agent } = await openRoom();
  for (const [command, id] of [
    ['ls', 'use-1'],
    ['ls', 'use-1'],
    ['ls -l', 'use-1'],
    ['ls', 'use-2'],
  ] as const)
    assert.equal(await tool(command, id), undefined);
  assert.equal((await states()).length, 3);
  assert.equal(parts.broker.counts.absorbed, 1);
  await toolEnded(parts, [agent.pid], 'use-2', false);
  await tool('ls', 'use-2');
  assert.equal((await states()).length, 4);
});
