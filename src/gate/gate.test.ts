import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AGENT } from '../db/schema/agents.ts';
import { CALL } from '../db/schema/journal.ts';
import type { Batch } from '../db/store.ts';
import { resumedRows } from './exhausted.ts';
import { memosOf, openGate, settle } from './fixture.test.ts';
import { toolEnded } from './outcomes.ts';
import { proveBalances } from './proof.ts';

const usage = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 };
const inSession = (...more: string[]) => ['x-claude-code-session-id', 's', ...more];

describe('what is written', () => {
  test('no agent is on the disk before its parent, whatever its first call waits for', async () => {
    const { model, store } = await openGate();
    void model('one');
    void model('one', 'waits for a slot', inSession('x-claude-code-agent-id', 'a'));
    const child = ['x-claude-code-parent-agent-id', 'a', 'x-claude-code-agent-id', 'b'];
    void model('two', 'starts', inSession(...child));
    await settle();
    const rows = await store.range(AGENT, { limit: 100 });
    const pids = new Set(rows.map(({ pid }) => pid));
    assert.equal(rows.length, 3);
    for (const { pid, parent } of rows)
      assert.ok(parent === null || pids.has(parent), `${pid} has its parent ${parent}`);
  });

  test('two hooks that tell one outcome at once write one END', async () => {
    const { tool, parts, agent, kinds } = await openGate();
    await tool('npm test', 'use-1');
    await Promise.all([1, 2].map(() => toolEnded(parts, [agent.pid], 'use-1', false)));
    assert.equal((await kinds()).filter((kind) => kind === 'call.end').length, 1);
  });

  test('an answer without usage books all that was reserved, in every dimension', async () => {
    const { model, parts, performed, store } = await openGate();
    parts.ledger.setLimit({
      scope: 'owner:me',
      dimension: 'usd',
      period: 'total',
      cap: 1e9,
      strict: true,
    });
    const walked = model('one');
    await settle();
    performed[0]?.answer();
    await walked;
    const [row] = await store.range(CALL, { limit: 1 });
    assert.equal(row?.output, 100, 'the most the request allows');
    assert.equal((row?.input ?? 0) + 100, row?.reservedTokens);
    assert.equal(row?.cost, row?.reservedUsd);
  });
});

test('a clock that is set back over midnight leaves balances that the entries prove', async () => {
  const { model, clock, parts, performed } = await openGate();
  const midnight = clock.now() + 86_400_000;
  clock.advanceTo(midnight);
  // Read after midnight, booked before it.
  parts.ledger.limits(undefined, clock.now());
  const now = clock.now.bind(clock);
  clock.now = () => now() - 3_600_000;
  const walked = model('one');
  await settle();
  performed[0]?.answer(usage);
  await walked;
  assert.deepEqual((await proveBalances(parts)).problems, []);
});

test('midnight that passes while the balances are proven is no finding', async () => {
  const { model, clock, parts, performed } = await openGate();
  clock.advanceTo(clock.now() + 86_399_999);
  const walked = model('one');
  await settle();
  performed[0]?.answer(usage);
  await walked;
  const proof = proveBalances(parts);
  clock.advanceTo(clock.now() + 2);
  assert.deepEqual((await proof).problems, []);
});

test('a model call is two commits of a bounded number of rows, decided from memory the second time', async () => {
  const batches: Batch[] = [];
  const { model, performed, parts } = await openGate(undefined, {
    beforeCommit: (batch) => Promise.resolve(void batches.push(batch)),
  });
  const memos = memosOf(parts);
  const call = async (text: string) => {
    batches.length = 0;
    const walked = model('one', text);
    await settle();
    performed.at(-1)?.answer(usage);
    await walked;
    return batches.map(({ entries = [], puts = [] }) => [
      ...entries.map(({ kind }) => kind),
      ...puts.map(({ table }) => table.name).sort(),
    ]);
  };
  await call('first');
  const [start = [], end = [], ...more] = await call('second');
  assert.deepEqual(more, []);
  assert.deepEqual(start, ['call.start', 'call']);
  // Three scopes: agent, owner, account.
  const balances = Array<string>(3).fill('balance');
  assert.deepEqual(end, ['call.end', 'agent', ...balances, 'call', 'estimate', 'service', 'usage']);
  assert.deepEqual(memos, [false, true]);
});

describe('waits', () => {
  test('an answer that comes while the question is being written is not missed', async () => {
    let write = () => {};
    const { tool, parts } = await openGate(undefined, {
      beforeCommit: (batch) =>
        batch.entries?.some(({ kind }) => kind === 'approval.open')
          ? new Promise((done) => {
              write = done;
            })
          : Promise.resolve(),
    });
    const asked = tool('rm -rf /', 'use-1');
    await settle();
    const [question] = parts.approvals.list(false);
    assert.ok(question);
    parts.approvals.answer(question.id, true, 'operator', parts.clock.now());
    parts.waits.wakeAll('approval', question.id);
    write();
    assert.equal(await asked, undefined, 'the tool may run');
    assert.equal(parts.waits.size, 0);
  });

  test('a question that another one replaces is closed in the journal, and who waits for it is woken', async () => {
    const { tool, parts, clock, kinds } = await openGate();
    void tool('rm -rf /', 'use-1');
    await settle();
    const [first] = parts.approvals.list(false);
    clock.advanceTo(clock.now() + 10_000);
    void tool('rm -rf /', 'use-2');
    await settle();
    clock.advanceTo(clock.now() + 9_999);
    await settle();
    void tool('rm -rf /', 'use-3');
    await settle();
    clock.advanceTo(clock.now() + 1);
    void tool('rm -rf /', 'use-4');
    await settle();
    assert.equal(parts.approvals.find(first?.id ?? '')?.state, 'expired');
    assert.ok((await kinds()).includes('approval.close'));
    for (const wait of parts.waits.all()) assert.notEqual(wait.resource, first?.id);
  });

  test('calls of a child go on when the budget of its paused parent is raised, and the row says so', async () => {
    const { model, parts, agent, gate, performed, store } = await openGate();
    const limit = {
      scope: `agent:${agent.pid}`,
      dimension: 'requests',
      period: 'total',
      strict: false,
    } as const;
    parts.ledger.setLimit({ ...limit, cap: 0 });
    await model('one');
    assert.equal((await store.get(AGENT, [agent.pid]))?.hold, 'paused');
    const { limit: raised } = parts.ledger.setLimit({ ...limit, cap: 5 });
    void model('one', 'hi', inSession('x-claude-code-agent-id', 'a'));
    await settle();
    assert.equal([...parts.waits.all()][0]?.reason, 'pause');
    const resumed = gate.exhausted.resume([raised?.id ?? '']);
    await parts.journal.append(resumedRows(resumed));
    gate.wake(resumed);
    await settle();
    assert.equal(performed.length, 1);
    assert.equal((await store.get(AGENT, [agent.pid]))?.hold, 'none');
  });

  test('a call that waits under a key that is revoked never starts', async () => {
    const { model, parts, gate, key, performed } = await openGate();
    void model('one');
    const waiting = model('one', 'waits');
    await settle();
    parts.keys.revoke(key.id, parts.clock.now());
    performed[0]?.answer(usage);
    const walked = await waiting;
    assert.equal(walked.kind === 'refused' && walked.refusal.code, 'stopped');
    assert.equal(performed.length, 1);
    assert.equal(gate.flights.size, 0);
  });

  test('nothing begins to wait once the kernel drains', async () => {
    let write = () => {};
    const { tool, gate, parts } = await openGate(undefined, {
      beforeCommit: (batch) =>
        batch.entries?.some(({ kind }) => kind === 'approval.open')
          ? new Promise((done) => {
              write = done;
            })
          : Promise.resolve(),
    });
    const asked = tool('rm -rf /', 'use-1');
    await settle();
    const drained = gate.drain(1000);
    write();
    await settle();
    assert.equal(parts.waits.size, 0);
    assert.equal((await asked)?.code, 'draining');
    await drained;
  });
});

describe('slots', () => {
  test('a slot is free while the refusal of the call that had it is written', async () => {
    let isSlow = false;
    const { model, parts, agent, performed } = await openGate(undefined, {
      beforeCommit: (batch) =>
        isSlow && batch.entries?.some(({ kind }) => kind === 'call.refuse')
          ? new Promise(() => {})
          : Promise.resolve(),
    });
    void model('one');
    await settle();
    void model('one', 'is granted, then refused', inSession('x-claude-code-agent-id', 'a'));
    void model('one', 'is next');
    await settle();
    const child = [...parts.agents.all()].find(({ parent }) => parent === agent.pid);
    assert.ok(child);
    child.hold = 'stopped';
    isSlow = true;
    performed[0]?.answer(usage);
    await settle();
    assert.equal(parts.scheduler.busy('one'), 1, 'the next call has it');
    assert.equal(parts.waits.size, 0);
  });

  test('a slot of a backend that is taken away is given back, and the call goes to the other', async () => {
    const { model, performed, change, parts } = await openGate({ one: 1, two: 1 });
    void model('one');
    void model('two');
    void model('one+two', 'waits');
    await settle();
    // Granted, and before the call can go on, its backend is gone.
    const release = parts.scheduler.release.bind(parts.scheduler);
    parts.scheduler.release = (call, resource) => {
      parts.scheduler.release = release;
      release(call, resource);
      change({ two: 2 });
    };
    performed[0]?.answer(usage);
    await settle();
    assert.deepEqual(
      performed.map(({ backend }) => backend),
      ['one', 'two', 'two'],
    );
    assert.equal(parts.scheduler.busy('two'), 2);
  });

  test('a rule that forbids a backend holds for the one that is granted, not only for the preferred', async () => {
    const { model, parts, performed } = await openGate({ one: 1, two: 1 });
    const rule =
      '@id("not-two") forbid(principal, action, resource is Model) when { context.backend == "two" };';
    assert.deepEqual(parts.access.apply(`${parts.access.text()}\n${rule}`, 'default'), []);
    void model('one');
    void model('one+two', 'waits for the first');
    await settle();
    assert.deepEqual(
      performed.map(({ backend }) => backend),
      ['one'],
    );
    assert.equal([...parts.waits.all()][0]?.resource, 'one');
  });

  test('a backend that is taken away while START is written makes the call stale', async () => {
    let write = () => {};
    const { model, change, performed } = await openGate(
      { one: 1, two: 1 },
      {
        beforeCommit: (batch) =>
          batch.entries?.some(({ kind }) => kind === 'call.start')
            ? new Promise((done) => {
                write = done;
              })
            : Promise.resolve(),
      },
    );
    const walked = model('one+two');
    await settle();
    change({ two: 1 });
    write();
    const done = await walked;
    assert.equal(done.kind === 'refused' && done.refusal.code, 'stale');
    assert.equal(performed.length, 0);
  });
});

test('the second look at a call that has started does not take it for a loop', async () => {
  let write = () => {};
  let holds = false;
  const { tool, parts, gate } = await openGate(undefined, {
    beforeCommit: () =>
      holds
        ? new Promise((done) => {
            write = done;
          })
        : Promise.resolve(),
  });
  await tool('ls', 'use-1');
  holds = true;
  const second = tool('ls', 'use-2');
  await settle();
  // Something else moves the epoch: the call is decided again before it goes on.
  gate.reconsider();
  holds = false;
  write();
  assert.equal(await second, undefined, 'the second of two calls that are allowed');
  assert.equal(parts.approvals.list(true).length, 0);
});
