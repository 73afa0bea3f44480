import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { CALL } from '../db/schema/journal.ts';
import { openGate, settle } from './fixture.test.ts';
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

  test('costs nothing where none was ever met: a call that ends looks at nobody who waits', async () => {
    const { model, performed, parts, clock } = await openGate();
    const all = parts.waits.all.bind(parts.waits);
    let looks = 0;
    parts.waits.all = () => {
      looks++;
      return all();
    };
    const walked = model('one', 'a');
    await settle();
    performed[0]?.answer(usage);
    await walked;
    assert.equal(looks, 0);
    const refused = model('one', 'b');
    await settle();
    performed[1]?.pushBack(after(1));
    await settle();
    assert.ok(looks > 0, 'one that was met is looked at');
    clock.advanceTo(clock.now() + 1000);
    await settle();
    performed[2]?.answer(usage);
    await refused;
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
