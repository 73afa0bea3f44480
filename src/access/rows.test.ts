import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { seededRandom } from '../base/random.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { Approvals } from './approvals.ts';
import { readLogin } from './credentials.ts';
import { Freezes } from './freeze.ts';
import { isSecret, Keys } from './keys.ts';
import { LIMITS } from './limits.ts';
import { Loops } from './loop.ts';

const question = (id: string, digest = 'd1', agent = 1) => ({
  id,
  agent,
  agentName: 'coder',
  action: 'tool.call',
  target: 'claude-code/Bash',
  args: { command: 'git push --force' },
  digest,
  rule: 'force-push',
});

describe('approvals', () => {
  test('survive reopening in every state and admit one call', async () => {
    const store = new MemoryStore();
    let approvals = await Approvals.open(store);
    await store.commit({ puts: approvals.open(question('q1'), 1000, 500).puts });
    approvals = await Approvals.open(store);
    const again = approvals.open(question('q2'), 1100, 500);
    assert.equal(again.isNew, false);
    assert.equal(again.approval.id, 'q1');
    assert.equal(approvals.findApproved(1, 'd1', 1100), undefined);
    const answer = approvals.answer('q1', true, 'me', 1200);
    assert.ok('puts' in answer);
    await store.commit({ puts: answer.puts });
    approvals = await Approvals.open(store);
    assert.equal(approvals.findApproved(1, 'd1', 1300)?.id, 'q1');
    assert.equal(approvals.findApproved(2, 'd1', 1300), undefined);
    assert.equal(approvals.findApproved(1, 'd2', 1300), undefined);
    assert.equal(approvals.findApproved(1, 'd1', 1500), undefined);
    await store.commit({ puts: approvals.use('q1', 1300).puts });
    assert.deepEqual(approvals.use('q1', 1300).puts, []);
    approvals = await Approvals.open(store);
    assert.equal(approvals.findApproved(1, 'd1', 1301), undefined);
    assert.equal(approvals.find('q1')?.state, 'used');
    assert.deepEqual(approvals.find('q1')?.args, { command: 'git push --force' });
    assert.deepEqual(approvals.list(false), []);
  });

  test('expire as denied, answered or not', async () => {
    const approvals = await Approvals.open(new MemoryStore());
    approvals.open(question('qa'), 0, 100);
    approvals.open(question('qb', 'd2'), 0, 100);
    approvals.answer('qb', true, 'me', 50);
    assert.ok('code' in approvals.answer('qa', true, 'me', 100));
    assert.deepEqual(approvals.expire(99).expired, []);
    assert.deepEqual(
      approvals.expire(100).expired.map(({ id, state }) => [id, state]),
      [
        ['qa', 'expired'],
        ['qb', 'expired'],
      ],
    );
    assert.equal(approvals.findApproved(1, 'd2', 100), undefined);
    assert.equal(approvals.open(question('qc'), 101, 100).isNew, true);
  });

  test('are refused a second answer and found by a unique prefix', async () => {
    const approvals = await Approvals.open(new MemoryStore());
    approvals.open(question('qab1'), 0, 100);
    approvals.open(question('qab2', 'd2'), 0, 100);
    assert.equal(approvals.find('qab'), undefined);
    assert.equal(approvals.find('qab2')?.digest, 'd2');
    const denied = approvals.answer('qab1', false, 'me', 1);
    assert.equal('puts' in denied && denied.approval.state, 'denied');
    const second = approvals.answer('qab1', true, 'me', 2);
    assert.equal('code' in second && second.code, 'stale');
    const missing = approvals.answer('zz', true, 'me', 2);
    assert.equal('code' in missing && missing.code, 'not_found');
  });

  test('are bounded in number and in what they show', async () => {
    const approvals = await Approvals.open(new MemoryStore());
    const count = LIMITS.approvalsOpen.value + 5;
    for (let i = 0; i < count; i++) approvals.open(question(`q${i}`, `d${i}`), i, 1e9);
    assert.equal(approvals.list(false).length, LIMITS.approvalsOpen.value);
    assert.equal(approvals.find('q0')?.state, 'expired');
    const long = { ...question('long', 'dl'), args: { content: 'x'.repeat(1e6) } };
    assert.ok(JSON.stringify(approvals.open(long, count, 10).approval.args).length < 3000);
  });
});

describe('keys', () => {
  test('identify by their secret until revoked, also after reopening, and store no secret', async () => {
    const store = new MemoryStore();
    const random = seededRandom(1);
    let keys = await Keys.open(store);
    const { key, secret, puts } = keys.create({ name: 'ci', owner: 'local', pid: null }, random, 5);
    const second = keys.create({ name: 'agent', owner: 'local', pid: 7 }, random, 6);
    await store.commit({ puts: [...puts, ...second.puts] });
    assert.ok(isSecret(secret) && secret.length === 48);
    assert.ok(!JSON.stringify(puts).includes(secret.slice(5)));
    keys = await Keys.open(store);
    assert.equal(keys.identify(secret, 7)?.id, key.id);
    assert.equal(keys.identify(`${secret.slice(0, -2)}zz`, 8), undefined);
    const revoked = keys.revoke('ci', 9);
    assert.ok('puts' in revoked);
    assert.deepEqual(
      keys.revokeAgent(7, 9).keys.map(({ name }) => name),
      ['agent'],
    );
    assert.equal(keys.identify(secret, 8), undefined);
    await store.commit({ puts: revoked.puts });
    keys = await Keys.open(store);
    assert.equal(keys.identify(secret, 8), undefined);
    assert.equal(keys.identify(second.secret, 8)?.pid, 7);
    assert.deepEqual(
      keys.list().map(({ revoked }) => revoked),
      [true, false],
    );
    assert.ok('code' in keys.revoke('ci', 10));
  });
});

test('freezes hold the descendants of what is frozen and survive reopening', async () => {
  const store = new MemoryStore();
  let freezes = await Freezes.open(store);
  await store.commit(freezes.freeze(3, 1));
  freezes = await Freezes.open(store);
  assert.equal(freezes.isFrozen([9, 3, 1]), 'agent 3');
  assert.equal(freezes.isFrozen([9, 1]), undefined);
  await store.commit(freezes.freeze('all', 2));
  assert.equal((await Freezes.open(store)).isFrozen([9]), 'all');
  await store.commit(freezes.thaw('all'));
  await store.commit(freezes.thaw(3));
  assert.deepEqual((await Freezes.open(store)).list(), []);
});

describe('the loop guard', () => {
  const call = (agent: number, digest: string, tree = agent) => ({ call: `${agent} ${digest}`, tree });
  const settings = { repeats: 3, windowMs: 1000, nanoUsdPerHour: 100 };
  const MINUTE = 60_000;

  test('asks about the same call of the same agent within the window, and counts anew after an approval', () => {
    const loops = new Loops(settings);
    for (const at of [0, 100, 200]) {
      assert.equal(loops.check(call(1, 'd'), at), undefined);
      loops.record(call(1, 'd'), 0, at);
    }
    assert.match(loops.check(call(1, 'd'), 300)?.text ?? '', /3 times/);
    assert.equal(loops.check(call(2, 'd'), 300), undefined);
    assert.equal(loops.check(call(1, 'e'), 300), undefined);
    assert.equal(loops.check(call(1, 'd'), 1000), undefined);
    loops.rearm(call(1, 'd'));
    assert.equal(loops.check(call(1, 'd'), 300), undefined);
    loops.tune({ ...settings, repeats: 1 });
    loops.record(call(1, 'd'), 0, 400);
    assert.match(loops.check(call(1, 'd'), 400)?.text ?? '', /1 times/);
    for (let i = 0; i < LIMITS.loopCalls.value; i++) loops.record(call(1, `x${i}`), 0, 300);
    assert.equal(loops.check(call(1, 'd'), 300), undefined);
  });

  test('asks about a tree that spends faster than the rate, all of it counted, over a sliding hour', () => {
    const loops = new Loops(settings);
    loops.record(call(2, 'a', 1), 60, 0);
    loops.record(call(3, 'b', 1), 39, 10 * MINUTE);
    assert.equal(loops.check(call(4, 'c', 1), 10 * MINUTE), undefined, '99 of 100');
    loops.settle(1, 1, 11 * MINUTE);
    const asked = loops.check(call(4, 'c', 1), 11 * MINUTE);
    assert.match(asked?.text ?? '', /within 12 min, the rate is .* an hour/);
    assert.equal(asked?.ofTree, true);
    assert.equal(loops.check(call(9, 'c'), 11 * MINUTE), undefined, 'another tree');
    loops.settle(1, -5, 12 * MINUTE);
    assert.equal(loops.check(call(4, 'c', 1), 12 * MINUTE), undefined, 'less was spent than was reserved');
    loops.record(call(2, 'a', 1), 5, 13 * MINUTE);
    assert.ok(loops.check(call(4, 'c', 1), 13 * MINUTE));
    assert.equal(loops.check(call(4, 'c', 1), 61 * MINUTE), undefined, 'the first minute left the hour');
    loops.record(call(2, 'a', 1), 100, 62 * MINUTE);
    assert.ok(loops.check(call(4, 'c', 1), 62 * MINUTE));
    loops.rearm(call(4, 'c', 1));
    assert.equal(loops.check(call(4, 'c', 1), 62 * MINUTE), undefined, 'an approval counts anew');
  });
});

test('logins are told by their shape and named by a salted digest', () => {
  const salt = Uint8Array.of(1, 2, 3);
  const kind = (...headers: string[]) => {
    const login = readLogin(headers, salt);
    if (login) assert.match(login.account, new RegExp(`^client:${login.provider}:[0-9a-f]{12}$`));
    return login && `${login.provider} ${login.kind}`;
  };
  assert.equal(kind('Authorization', 'Bearer sk-ant-oat01-x'), 'anthropic subscription');
  assert.equal(kind('authorization', 'bearer sk-ant-api03-x'), 'anthropic key');
  assert.equal(kind('X-Api-Key', 'sk-ant-api03-x'), 'anthropic key');
  assert.equal(kind('authorization', 'Bearer eyJ', 'ChatGPT-Account-Id', 'acc'), 'chatgpt subscription');
  assert.equal(kind('authorization', 'Bearer sk-proj-1'), 'openai key');
  assert.equal(kind('authorization', 'Bearer other'), 'unknown key');
  assert.equal(kind('x-api-key', 'other'), 'unknown key');
  assert.equal(kind('authorization', 'Bearer mezz_abc'), undefined);
  assert.equal(kind('authorization', 'Bearer mezz_abc', 'x-api-key', 'sk-ant-api03-x'), 'anthropic key');
  assert.equal(kind('authorization', 'Basic abc'), undefined);
  const account = (token: string, by = salt) => readLogin(['authorization', `Bearer ${token}`], by)?.account;
  assert.equal(account('sk-1'), account('sk-1'));
  assert.notEqual(account('sk-1'), account('sk-2'));
  assert.notEqual(account('sk-1'), account('sk-1', Uint8Array.of(9)));
});
