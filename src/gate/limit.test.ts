import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import type { AccountId } from '../base/ids.ts';
import type { Usage } from '../base/usage.ts';
import { AGENT } from '../db/schema/agents.ts';
import { SPAN } from '../db/schema/budget.ts';
import { CALL } from '../db/schema/journal.ts';
import { mezz } from '../scheduler/policies/mezz.ts';
import { openGate, settle } from './fixture.test.ts';
import type { Flight } from './flight.ts';
import { Gate } from './gate.ts';
import { proveBalances } from './proof.ts';

const usage = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 };
const after = (seconds: number) => ['retry-after', String(seconds)];
const TIMEOUT = ['x-stainless-timeout', '30'];

describe('a rate limit of a provider', () => {
  test('is waited for without a slot, and the call is sent again: its agent never hears of it', async () => {
    const { model, performed, parts, clock, kinds, store } = await openGate();
    const walked = model('one');
    await settle();
    performed[0]?.pushBack(after(20));
    await settle();
    const [wait] = parts.waits.all();
    assert.deepEqual([wait?.reason, wait?.resource], ['limit', 'one one']);
    assert.equal(parts.scheduler.busy('one'), 0);
    clock.advanceTo(clock.now() + 19_999);
    await settle();
    assert.equal(performed.length, 1);
    clock.advanceTo(clock.now() + 1);
    await settle();
    assert.equal(performed.length, 2);
    performed[1]?.answer(usage);
    const done = await walked;
    assert.ok(done.kind === 'done' && done.outcome.kind === 'answered');
    assert.equal(done.outcome.status, 200);
    const of = (await kinds()).filter((kind) => kind.startsWith('call.'));
    assert.deepEqual(of, ['call.start', 'call.end', 'call.start', 'call.end']);
    const [row] = await store.range(CALL, { limit: 2 });
    assert.deepEqual([row?.state, row?.attempt, row?.output], ['done', 2, 5]);
    assert.deepEqual((await proveBalances(parts)).problems, []);
  });

  test('holds back the other calls of its account, but no other account', async () => {
    const { model, performed, parts, clock } = await openGate({ one: 4, two: 4 });
    const first = model('one', 'a');
    await settle();
    performed[0]?.pushBack(after(5));
    await settle();
    const second = model('one', 'b');
    const elsewhere = model('two', 'c');
    await settle();
    assert.deepEqual(
      performed.slice(1).map(({ backend }) => backend),
      ['two'],
    );
    assert.equal([...parts.waits.all()].length, 2);
    clock.advanceTo(clock.now() + 5000);
    await settle();
    assert.equal(performed.length, 3, 'one at a time after a refusal, the oldest first');
    for (const one of performed.slice(1)) one.answer(usage);
    await settle();
    performed[3]?.answer(usage);
    for (const walked of await Promise.all([first, second, elsewhere]))
      assert.ok(walked.kind === 'done' && walked.outcome.kind === 'answered');
    assert.deepEqual([...parts.waits.all()], []);
  });

  test('is kept as its headers show it: what it does not cover waits without a slot, in the order of the policy', async () => {
    const { model, performed, parts, clock, gate, agent } = await openGate({ one: 4, two: 1 });
    const left = (requests: number) => [
      ...['anthropic-ratelimit-requests-limit', '60'],
      ...['anthropic-ratelimit-requests-remaining', String(requests)],
    ];
    const first = model('one', 'a');
    await settle();
    performed[0]?.hear(left(1));
    performed[0]?.answer(usage);
    await first;
    const walks = ['b', 'c', 'd'].map((text) => model('one', text));
    await settle();
    assert.equal(performed.length, 2, 'one request was left');
    assert.deepEqual(
      gate.waits().map(({ reason, resource }) => [reason, resource]),
      [
        ['limit', 'one one'],
        ['limit', 'one one'],
      ],
    );
    assert.equal(parts.scheduler.busy('one'), 1);
    const [wait] = parts.waits.all();
    const flight = wait && gate.flights.get(wait.call);
    assert.deepEqual(flight && gate.limits.reasons(flight), [
      'one one: of 60 requests a minute 0 are left and 1 are needed: about 1 s more',
    ]);
    clock.advanceTo(clock.now() + 999);
    await settle();
    assert.equal(performed.length, 2);
    clock.advanceTo(clock.now() + 1);
    await settle();
    assert.equal(performed.length, 3, 'one comes each second');
    // The head of an answer says that there is more: nobody waits for the clock.
    performed[1]?.hear(left(30));
    await settle();
    assert.equal(performed.length, 4);
    for (const one of performed.slice(1)) one.answer(usage);
    for (const walked of await Promise.all(walks)) assert.equal(walked.kind, 'done');
    assert.deepEqual([agent.hold, gate.waits()], ['none', []]);
  });

  test('what operators say of an account counts for all below it: calls at once, and money', async () => {
    const { model, performed, parts, clock, gate } = await openGate({ one: 4, two: 4 });
    const team = { id: 'team' as AccountId, parent: null, kind: 'group', provider: '', owner: null } as const;
    const below = (['one', 'two'] as AccountId[]).map(
      (id) => ({ id, parent: team.id, kind: 'kernel', provider: id, owner: null }) as const,
    );
    parts.accounts.declare([team, ...below]);
    parts.governor.stated.set(new Map([['team', { streams: 1 }]]), clock.now());
    const [first, second] = [model('one', 'a'), model('two', 'b')];
    await settle();
    assert.deepEqual(
      performed.map(({ backend }) => backend),
      ['one'],
    );
    const [wait] = gate.waits();
    const flight = wait && gate.flights.get(wait.call);
    assert.equal(wait?.reason, 'limit');
    assert.deepEqual(flight && gate.limits.reasons(flight), [
      'two two: 1 of at most 1 answers of account team are open',
    ]);
    performed[0]?.answer(usage);
    await settle();
    assert.equal(performed[1]?.backend, 'two', 'room at one backend is room for the other');
    performed[1]?.answer(usage);
    for (const walked of await Promise.all([first, second])) assert.equal(walked.kind, 'done');

    // Ten tokens read and five written cost 60,000 nano-dollars; a call that is refused costs nothing.
    parts.governor.stated.set(new Map([['team', { nanoUsdPerHour: 1e9 }]]), clock.now());
    const left = () => [...parts.governor.standing(clock.now())].find(({ of }) => of === 'usd')?.left;
    const paid = model('one', 'c');
    await settle();
    assert.ok((left() ?? 0) < 1e9 - 60_000, 'more is expected of it');
    performed[2]?.answer(usage);
    await paid;
    assert.equal(left(), 1e9 - 60_000);
    parts.governor.stated.set(new Map([['team', { nanoUsdPerHour: 1e6 }]]), clock.now());
    const dear = model('one', 'd');
    await settle();
    performed[3]?.answer(usage);
    await dear;
    const waits = model('two', 'e');
    await settle();
    const why = gate.waits().map(({ call }) => gate.limits.reasons(gate.flights.get(call) as Flight)[0]);
    assert.match(why.join(), /^two two: of \$0\.00100 an hour for account team \$0\.000940 are left/);
    const seconds = Number(/about (\d+) s more/.exec(why.join())?.[1]);
    clock.advanceTo(clock.now() + (seconds - 1) * 1000);
    await settle();
    assert.equal(performed.length, 4);
    clock.advanceTo(clock.now() + 1000);
    await settle();
    assert.equal(performed.length, 5, 'when an hour has brought enough');
    performed[4]?.answer(usage);
    assert.equal((await waits).kind, 'done');
  });

  test('leaves to an agent that goes first what it is used to take', async () => {
    const { model, performed, parts, clock, gate, agent } = await openGate({ one: 9, two: 1 });
    parts.scheduler.setPolicy(mezz);
    const left = (requests: number) => [
      ...['anthropic-ratelimit-requests-limit', '60'],
      ...['anthropic-ratelimit-requests-remaining', String(requests)],
    ];
    const serve = async (text: string, requests: number) => {
      const walked = model('one', text);
      await settle();
      performed.at(-1)?.hear(left(requests));
      performed.at(-1)?.answer(usage);
      await walked;
    };
    agent.nice = -5;
    for (const [i, text] of ['a', 'b', 'c', 'd'].entries()) await serve(text, 59 - i);
    clock.advanceTo(clock.now() + 3000);
    await serve('e', 3);
    clock.advanceTo(clock.now() + 1000);
    agent.nice = 0;
    const others = ['f', 'g'].map((text) => model('one', text));
    await settle();
    assert.equal(performed.length, 6, 'four are left, and three are kept');
    const [wait] = gate.waits();
    const flight = wait && gate.flights.get(wait.call);
    assert.deepEqual(flight && gate.limits.reasons(flight), [
      'one one: of 60 requests a minute 3 are left and 1 are needed beside 3 that are kept for calls that go first: about 1 s more',
    ]);
    agent.nice = -5;
    const first = model('one', 'h');
    await settle();
    assert.equal(performed.length, 7);
    for (const one of performed.slice(5)) one.answer(usage);
    clock.advanceTo(clock.now() + 60_000);
    await settle();
    performed[7]?.answer(usage);
    for (const walked of await Promise.all([...others, first])) assert.equal(walked.kind, 'done');
  });

  test('a call that waits for it and leaves takes nothing with it', async () => {
    const { model, performed, parts, clock, agent, gate } = await openGate({ one: 4, two: 1 });
    const headers = ['x-ratelimit-limit-requests', '60', 'x-ratelimit-remaining-requests', '0'];
    const first = model('one', 'a');
    await settle();
    performed[0]?.hear(headers);
    performed[0]?.answer(usage);
    await first;
    const child = ['x-claude-code-session-id', 's', 'x-claude-code-agent-id', 'a'];
    const leaves = model('one', 'b', child);
    const stays = model('one', 'c');
    await settle();
    assert.equal(gate.waits().length, 2);
    const sub = [...parts.agents.all()].find(({ parent }) => parent === agent.pid);
    assert.ok(sub);
    sub.hold = 'stopped';
    gate.interrupt(new Set([sub.pid]), 'killed');
    assert.equal((await leaves).kind, 'refused');
    clock.advanceTo(clock.now() + 1000);
    await settle();
    assert.equal(performed.length, 2);
    performed[1]?.answer(usage);
    assert.equal((await stays).kind, 'done');
  });

  test('is not waited for where another account can take the call', async () => {
    const { model, performed, parts } = await openGate();
    const walked = model('one+two');
    await settle();
    performed[0]?.pushBack(after(20));
    await settle();
    assert.deepEqual(
      performed.map(({ backend }) => backend),
      ['one', 'two'],
    );
    performed[1]?.answer(usage);
    assert.equal((await walked).kind, 'done');
    assert.deepEqual([...parts.waits.all()], []);
  });

  test('passes as the provider said it where it cannot be waited for in time, or is no limit that ends', async () => {
    const { model, performed, parts } = await openGate();
    const ends = async (headers: readonly string[], sent: readonly string[]) => {
      const walked = model('one', headers.join(), sent);
      await settle();
      performed.at(-1)?.pushBack(headers);
      const done = await walked;
      assert.ok(done.kind === 'done' && done.outcome.kind === 'answered');
      return done.outcome.status;
    };
    assert.equal(await ends(after(29), TIMEOUT), 429, 'the client would be gone');
    // Until then nothing of this account waits longer than its client does: it is the provider's to refuse.
    assert.equal(await ends(after(3600), TIMEOUT), 429);
    assert.equal(await ends(['x-should-retry', 'false'], []), 429);
    parts.settings = { ...parts.settings, onLimit: 'fail' };
    assert.equal(await ends(after(1), []), 429);
    assert.deepEqual([...parts.waits.all()], []);
  });

  test('on sleep: where it ends too late to be waited for, the agent is paused until then, and goes on by itself', async () => {
    const { model, performed, parts, clock, agent, kinds, store, gate } = await openGate();
    parts.settings = { ...parts.settings, onLimit: 'sleep' };
    const walked = model('one', 'a');
    await settle();
    performed[0]?.pushBack(after(3600));
    await settle();
    const until = clock.now() + 3_600_000;
    assert.deepEqual(
      [agent.hold, agent.holdWhy, agent.holdUntil],
      ['paused', 'rate limit of one one', until],
    );
    assert.equal(
      (await store.get(AGENT, [agent.pid]))?.holdUntil,
      until,
      'on the disk: a restart forgets nothing',
    );
    assert.ok((await kinds()).includes('agent.set'));
    assert.deepEqual(
      gate.waits().map(({ reason }) => reason),
      ['pause'],
    );
    clock.advanceTo(clock.now() + 1000);
    const reopened = new Gate(parts);
    assert.ok(reopened.limits, 'a kernel that finds it asleep wakes it too');
    clock.advanceTo(until);
    await settle();
    await settle();
    assert.equal(agent.hold, 'none');
    assert.equal((await store.get(AGENT, [agent.pid]))?.hold, 'none');
    // Its client waited no longer than it would: the retry passes.
    assert.equal((await walked).kind, 'refused');
    const again = model('one', 'a');
    await settle();
    assert.equal(performed.length, 2);
    performed[1]?.answer(usage);
    assert.equal((await again).kind, 'done');
  });

  test('on sleep: a call that meets a limit which is closed for long is not sent; an agent may have it otherwise', async () => {
    const { model, performed, parts, agent } = await openGate({ one: 4, two: 1 });
    agent.onLimit = 'sleep';
    const first = model('one', 'a');
    await settle();
    performed[0]?.pushBack(after(3600));
    await settle();
    assert.equal(agent.hold, 'paused');
    agent.hold = 'none';
    void model('one', 'b');
    await settle();
    assert.deepEqual([performed.length, agent.hold], [1, 'paused']);
    agent.onLimit = 'fail';
    agent.hold = 'none';
    const passed = model('one', 'c');
    await settle();
    performed[1]?.pushBack(after(3600));
    const done = await passed;
    assert.ok(done.kind === 'done' && done.outcome.kind === 'answered' && done.outcome.status === 429);
    parts.waits.wakeAgents(new Set([agent.pid]));
    void first;
  });

  test('a cached prefix that is about to expire is a deadline: its call goes first where that saves more than it costs', async () => {
    const { conversation, performed, parts, clock, gate } = await openGate({ one: 4, two: 1 });
    parts.scheduler.setPolicy(mezz);
    const cold = { input: 1_000, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 };
    const left = (requests: number) => [
      ...[
        'anthropic-ratelimit-requests-limit',
        '60',
        'anthropic-ratelimit-requests-remaining',
        String(requests),
      ],
      ...[
        'anthropic-ratelimit-input-tokens-limit',
        '60000',
        'anthropic-ratelimit-input-tokens-remaining',
        '60000',
      ],
      ...[
        'anthropic-ratelimit-output-tokens-limit',
        '20000',
        'anthropic-ratelimit-output-tokens-remaining',
        '20000',
      ],
    ];
    const serve = async (text: string, turns: number, usage: Usage) => {
      const walked = conversation('one', text, turns);
      await settle();
      performed.at(-1)?.hear(left(60));
      performed.at(-1)?.answer(usage);
      await walked;
    };
    // It has a prefix that the provider was seen to cache.
    // A thousand tokens a message, all but the last two from the cache.
    for (const turns of [1, 2, 3, 4, 5])
      await serve('long', turns, { ...cold, cacheRead: Math.max(0, 1000 * (2 * turns - 3)) });
    const usedAt = clock.now();
    clock.advanceTo(usedAt + 250_000);
    await serve('filler', 1, cold);
    performed.at(-1)?.hear(left(0));
    // The provider lets nobody in until after the prefix would be about to go.
    const refused = conversation('one', 'refused', 1);
    await settle();
    performed.at(-1)?.pushBack(['retry-after', '30']);
    await settle();
    const short = conversation('one', 'short', 1);
    const long = conversation('one', 'long', 6);
    await settle();
    const order = () =>
      parts.scheduler
        .line(5)
        .map(
          ({ waiting }) =>
            [...gate.flights.values()].find(({ call }) => call.id === waiting.call)?.links.length,
        );
    const reasonsOf = () =>
      parts.scheduler
        .line(5)
        .flatMap(({ reasons }) => reasons)
        .join();
    assert.doesNotMatch(reasonsOf(), /expires soon/);
    clock.advanceTo(usedAt + 270_000);
    await settle();
    assert.equal(order()[0], 11, 'the long conversation is first');
    assert.match(reasonsOf(), /its cached prefix expires soon: served before, it saves \d+ virtual tokens/);
    clock.advanceTo(usedAt + 280_000);
    await settle();
    const before = performed.length;
    clock.advanceTo(usedAt + 300_000);
    await settle();
    assert.ok(before > 0);
    assert.doesNotMatch(reasonsOf(), /expires soon/, 'what is gone is no deadline');
    for (let i = 0; i < 10; i++) {
      for (const one of performed) one.answer(usage);
      clock.advanceTo(clock.now() + 10_000);
      await settle();
    }
    await Promise.all([refused, short, long]);
  });

  test('the windows of plans: a part that is kept for one pauses the others, and fsck proves what was counted', async () => {
    const { model, performed, parts, clock, agent, store } = await openGate({ one: 4, two: 1 });
    const scope = 'account:one';
    const limit = { scope, dimension: 'tokens', period: '5h', cap: 1e9, strict: false } as const;
    await store.commit(parts.ledger.setLimit(limit));
    for (const text of ['a', 'b']) {
      const walked = model('one', text);
      await settle();
      performed.at(-1)?.answer(usage);
      await walked;
      clock.advanceTo(clock.now() + 1000);
    }
    assert.deepEqual((await proveBalances(parts)).problems, []);
    const [span] = await store.range(SPAN, { limit: 9 });
    assert.deepEqual([span?.requests, span?.output], [2, 10]);
    parts.ledger.setLimit({ ...limit, cap: null });
    assert.deepEqual(parts.ledger.spans(clock.now()), [], 'what nobody limits is not counted');
    await store.commit(parts.ledger.setLimit(limit));
    const third = model('one', 'c');
    await settle();
    performed.at(-1)?.answer(usage);
    await third;
    assert.deepEqual((await proveBalances(parts)).problems, []);
    const [begun] = await store.range(SPAN, { limit: 9 });
    assert.ok(begun);
    await store.commit({ puts: [{ table: SPAN, row: { ...begun, output: 4 } }] });
    assert.deepEqual((await proveBalances(parts)).problems, [
      'window 5h account:one: the row is not what the kernel holds',
    ]);
    const resetsAt = clock.now() + 3_600_000;
    parts.windows.record('one', [{ name: '5h', usedShare: 0.75, resetsAt, status: null }], clock.now());
    parts.reserves.set('one', '5h', 'agent:fix', 30);
    const refused = await model('one', 'd');
    assert.ok(refused.kind === 'refused' && refused.refusal.code === 'over_budget');
    assert.deepEqual([agent.hold, agent.holdUntil], ['paused', resetsAt]);
    clock.advanceTo(resetsAt);
    await settle();
    assert.equal(agent.hold, 'none', 'it goes on with the next window');
    agent.name = 'fix';
    const passes = model('one', 'e');
    await settle();
    performed.at(-1)?.answer(usage);
    assert.equal((await passes).kind, 'done');
  });

  test('the retry of a call that left keeps its place; another body has none', async () => {
    const { model, performed, parts, clock } = await openGate({ one: 1, two: 1 });
    const busy = model('one', 'busy');
    await settle();
    const left = new AbortController();
    const leaves = model('one', 'x', [], left.signal);
    await settle();
    clock.advanceTo(clock.now() + 1000);
    const others = [model('one', 'y'), model('one', 'z')];
    await settle();
    left.abort();
    assert.equal((await leaves).kind, 'refused');
    clock.advanceTo(clock.now() + 1000);
    const again = model('one', 'x');
    const fresh = model('one', 'x2');
    await settle();
    const order: string[] = [];
    for (let i = 0; i < 5; i++) {
      performed[i]?.answer(usage);
      await settle();
      order.push(/"content":"(\w+)"/.exec(Buffer.from(performed[i]?.call.body ?? '').toString())?.[1] ?? '');
    }
    assert.deepEqual(order, ['busy', 'x', 'y', 'z', 'x2']);
    await Promise.all([busy, again, fresh, ...others]);
    assert.equal(parts.waits.size, 0);
  });

  test('a call that is refused on its way leaves its room to the next', async () => {
    const { model, performed, parts, clock, agent } = await openGate({ one: 4 });
    const first = model('one', 'a');
    await settle();
    performed[0]?.pushBack(after(5));
    await settle();
    const child = ['x-claude-code-session-id', 's', 'x-claude-code-agent-id', 'a'];
    const second = model('one', 'b', child);
    await settle();
    agent.hold = 'stopped';
    // Woken by the reset: the agent is stopped, so the first is refused; with it its child.
    clock.advanceTo(clock.now() + 5000);
    await settle();
    assert.equal((await first).kind, 'refused');
    clock.advanceTo(clock.now() + 1000);
    await settle();
    assert.equal((await second).kind, 'refused');
    assert.deepEqual([...parts.waits.all()], []);
  });
});
