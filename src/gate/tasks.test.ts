/** Calls that become tasks: what a client is told while it waits, and what a restart of the kernel leaves of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonRecord } from '../base/json.ts';
import type { Asking, ToolAnswer, ToolServer } from '../base/ports.ts';
import type { MemoryStore } from '../db/memory/store.ts';
import { CALL } from '../db/schema/journal.ts';
import { TASK } from '../db/schema/tools.ts';
import { LIMITS as TOOL_LIMITS } from '../tools/limits.ts';
import { openGate, settle } from './fixture.test.ts';
import { recover } from './recovery.ts';
import type { TaskView } from './tasks.ts';

type Sent = { readonly tool: string; readonly input: JsonRecord; answer(answer: ToolAnswer): void };

/** A server whose answers come when a test says so: `add` may take effect twice, `set` may not, `get` changes nothing. */
function newServer() {
  const sent: Sent[] = [];
  const server: ToolServer = {
    spec: {
      ...{ id: 'box', command: [], env: {}, cwd: '/' },
      manifest: {
        tools: {
          add: { resources: [{ key: 'server:box/a', access: 'delta' }] },
          set: { resources: [{ key: 'server:box/s', access: 'delta' }], retry: 'idempotent' },
          get: { resources: [{ key: 'server:box/g', access: 'read' }], retry: 'pure' },
        },
      },
    },
    osPid: undefined,
    said: '',
    describe: async () => ({ software: 'box', tools: ['add', 'set', 'get'].map((name) => ({ name })) }),
    call: (ticket, tool, input, signal) =>
      new Promise((answer) => {
        ticket.use();
        sent.push({ tool, input, answer });
        const why = { code: 'in_doubt', message: 'box was told to stop' } as const;
        signal.addEventListener('abort', () => answer({ kind: 'broken', refusal: why }), { once: true });
      }),
    close: async () => {},
  };
  return { server, sent };
}

const did = (text: string): ToolAnswer => ({
  kind: 'called',
  result: { content: [{ type: 'text', text }] },
  isError: false,
});

async function openRoom(bodies: 'keep' | 'off' = 'keep', store?: MemoryStore, before?: number) {
  const { server, sent } = newServer();
  const room = await openGate({ one: 1 }, {}, undefined, [server], store);
  const { arrivals, caller, parts, clock, agent } = room;
  parts.settings = { ...parts.settings, bodies };
  const { tasks } = arrivals.offered;
  const pid = before ?? agent.pid;
  const told: JsonRecord[] = [];
  /** A call of a client that takes tasks, or does not; `task` is what it was told. */
  const call = async (tool: string, n: number, takesTasks = true) => {
    const made: { task?: TaskView; outcome?: unknown } = {};
    const asking: Asking = {
      ...{
        who: 'root',
        capabilities: {},
        logLevel: undefined,
        takesInputRequired: true,
        wantsProgress: true,
      },
      told: (method, params) => told.push({ method, ...params, call: n }),
      asked: async () => ({ result: {} }),
    };
    const request = {
      method: 'tools/call',
      params: { name: `box__${tool}`, arguments: { n } },
      asking,
    } as const;
    const deferred = takesTasks ? (task: TaskView) => Object.assign(made, { task }) : undefined;
    void arrivals
      .requested(caller, undefined, request, { outlives: false, deferred }, new AbortController().signal)
      .then(({ outcome }) => Object.assign(made, { outcome }));
    await settle();
    return made;
  };
  const pass = async (ms: number) => {
    for (const end = clock.now() + ms; clock.now() < end; ) {
      clock.advanceTo(Math.min(end, clock.now() + 1000));
      await settle();
    }
  };
  return {
    ...{ ...room, sent, told, call, pass, tasks, server },
    get: (id: string | undefined) => tasks.get(pid, id ?? ''),
    /** The next kernel on this store, after a crash; what the first one had running is never heard of again. */
    crash: async () => {
      const next = await openRoom(bodies, room.store, pid);
      next.clock.advanceTo(clock.now() + 1000);
      await recover(next.parts);
      void next.arrivals.offered.settleDoubts();
      void next.tasks.resume();
      for (let i = 0; i < 20; i++) await settle();
      return next;
    },
  };
}

const textOf = (task: TaskView | undefined): string => JSON.stringify(task?.outcome);

test('a call that takes long becomes a task, durable before its client is told, and its end is found by its agent alone', async () => {
  const { call, pass, sent, get, store, tasks, agent, parts } = await openRoom();
  const made = await call('add', 1);
  await pass(TOOL_LIMITS.taskAfterMs.value - 1000);
  assert.deepEqual(made, {});
  await pass(1000);
  assert.equal(made.task?.state, 'working');
  assert.deepEqual(
    (await store.range(TASK, { limit: 9 })).map(({ id }) => id),
    [made.task?.id],
  );
  assert.equal((await get(made.task?.id))?.state, 'working');
  assert.equal(await tasks.get(agent.pid + 1, made.task?.id ?? ''), undefined);
  sent[0]?.answer(did('added'));
  await settle();
  assert.match(textOf(await get(made.task?.id)), /added/);
  assert.equal(parts.uses.get((await store.range(CALL, { limit: 9 }))[0]?.id ?? ''), undefined, 'it is told');
  await pass(TOOL_LIMITS.taskKeptMs.value);
  assert.equal(await get(made.task?.id), undefined, 'its time is over');
});

test('a call that ends in time, or whose client takes no tasks, is answered as ever', async () => {
  const { call, pass, sent, store } = await openRoom();
  const [quick, plain] = [await call('add', 1), await call('set', 2, false)];
  sent[0]?.answer(did('added'));
  await pass(TOOL_LIMITS.taskAfterMs.value * 2);
  sent[1]?.answer(did('set'));
  await settle();
  for (const made of [quick, plain])
    assert.deepEqual([made.task, typeof made.outcome], [undefined, 'object']);
  assert.deepEqual(await store.range(TASK, { limit: 9 }), []);
});

test('a call that waits tells so, in numbers that grow; as a task it waits on where another is told to come again', async () => {
  const { call, pass, sent, told, get } = await openRoom();
  await call('add', 1);
  const [task, plain] = [await call('add', 2), await call('add', 3, false)];
  await pass(TOOL_LIMITS.lockWaitMs.value + 5000);
  assert.match(JSON.stringify(plain.outcome), /Waited 30 s: root/);
  assert.equal(task.outcome, undefined);
  const waiting = await get(task.task?.id);
  assert.deepEqual([waiting?.state, waiting?.message], ['working', 'waits for server:box/a']);
  const numbers = told.filter((one) => one.call === 2).map(({ progress }) => Number(progress));
  assert.ok(numbers.length >= 5 && numbers.every((one, n) => one < 0 && one > (numbers[n - 1] ?? -2)));
  assert.match(String(told[0]?.message), /holds server:box\/a/);
  for (const n of [0, 1]) {
    sent[n]?.answer(did('added'));
    await pass(1000);
  }
  assert.match(textOf(await get(task.task?.id)), /added/);
  assert.deepEqual(
    sent.map(({ input }) => input),
    [{ n: 1 }, { n: 2 }],
  );
});

test('a task goes on after the kernel was killed: what waited is made, what may be is made again, what may not is a doubt', async () => {
  const room = await openRoom();
  const made = {
    runs: await room.call('add', 1),
    again: await room.call('set', 2),
    reads: await room.call('get', 3),
    waits: await room.call('add', 4),
  };
  await room.pass(TOOL_LIMITS.taskAfterMs.value);
  assert.deepEqual(
    room.sent.map(({ input }) => input.n),
    [1, 2, 3],
  );
  const next = await room.crash();
  assert.deepEqual(next.sent.map(({ tool, input }) => `${tool} ${input.n}`).sort(), [
    'add 4',
    'get 3',
    'set 2',
  ]);
  for (const { answer, tool } of next.sent) answer(did(`did ${tool}`));
  for (let i = 0; i < 20; i++) await settle();
  for (const name of ['again', 'reads', 'waits'] as const)
    assert.match(textOf(await next.get(made[name].task?.id)), /did/, name);
  const doubt = await next.get(made.runs.task?.id);
  assert.equal(doubt?.state, 'working');
  assert.match(doubt?.message ?? '', /a person decides/);
  const [{ call: doubtful } = { call: '' }] = next.parts.uses.doubts();
  await next.arrivals.offered.resolve(doubtful, 'done');
  assert.match(textOf(await next.get(made.runs.task?.id)), /took effect/);
  assert.equal(next.sent.length, 3, 'nobody made it again');
});

test('killed again and again, a task that may take effect twice is sent once, or is a doubt', async () => {
  const room = await openRoom();
  await room.call('add', 1);
  const made = await room.call('add', 2);
  await room.pass(TOOL_LIMITS.taskAfterMs.value);
  const second = await room.crash();
  assert.deepEqual(
    second.sent.map(({ input }) => input.n),
    [2],
  );
  const third = await second.crash();
  assert.deepEqual(third.sent, [], 'its START was written: nobody knows');
  assert.equal((await third.get(made.task?.id))?.state, 'working');
});

test('a task that its client cancels ends, whether it waits or runs', async () => {
  const { call, pass, sent, tasks, agent, get } = await openRoom();
  const [runs, waits] = [await call('add', 1), await call('add', 2)];
  await pass(TOOL_LIMITS.taskAfterMs.value);
  for (const { task } of [waits, runs]) {
    assert.equal(await tasks.cancel(agent.pid + 1, task?.id ?? ''), false, 'not another agent');
    assert.equal(await tasks.cancel(agent.pid, task?.id ?? ''), true);
    await pass(1000);
    assert.equal((await get(task?.id))?.state, 'cancelled');
  }
  assert.equal(sent.length, 1);
  assert.equal(await tasks.cancel(agent.pid, runs.task?.id ?? ''), true, 'once more changes nothing');
});

test('where bodies are not kept no word of a task is stored, and after a restart it says so', async () => {
  const room = await openRoom('off');
  const ended = await room.call('set', 1);
  await room.call('add', 2);
  const waits = await room.call('add', 3);
  await room.pass(TOOL_LIMITS.taskAfterMs.value);
  room.sent[0]?.answer(did('secret'));
  await settle();
  assert.match(textOf(await room.get(ended.task?.id)), /secret/);
  const rows = await room.store.range(TASK, { limit: 9 });
  assert.equal(rows.length, 3);
  for (const { input, outcome } of rows) assert.deepEqual([input, outcome], [null, null]);
  const next = await room.crash();
  for (const { task } of [ended, waits]) assert.match(textOf(await next.get(task?.id)), /not kept/);
});
