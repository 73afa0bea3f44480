import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountId } from '../base/ids.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { Accounts } from './accounts.ts';
import { LIMITS } from './limits.ts';

const id = (name: string) => name as AccountId;
const account = (name: string, parent: string | null = null) =>
  ({ id: id(name), parent: parent as AccountId | null, kind: 'kernel', provider: 'openai', name }) as const;

test('a call is charged to its account and to all above it, also after a restart', async () => {
  const store = new MemoryStore();
  const accounts = await Accounts.open(store);
  for (const each of [account('company'), account('team', 'company'), account('key', 'team')]) {
    const set = accounts.set(each);
    assert.ok('puts' in set);
    await store.commit(set);
  }
  assert.deepEqual(accounts.chain(id('key')), ['key', 'team', 'company']);
  assert.deepEqual((await Accounts.open(store)).chain(id('key')), ['key', 'team', 'company']);
});

test('a login of a client becomes an account on first sight and is written once', async () => {
  const accounts = await Accounts.open(new MemoryStore());
  const login = id('client:anthropic:ab12');
  assert.equal(accounts.seen(login, 'client', 'anthropic').puts.length, 1);
  assert.equal(accounts.seen(login, 'client', 'anthropic').puts.length, 0);
  assert.deepEqual(accounts.chain(login), [login]);
});

test('no account stands above itself, below nothing known, or too deep', async () => {
  const accounts = await Accounts.open(new MemoryStore());
  accounts.set(account('a0'));
  for (let i = 1; i < LIMITS.accountDepth.value; i++) {
    assert.ok('puts' in accounts.set(account(`a${i}`, `a${i - 1}`)));
  }
  const deepest = `a${LIMITS.accountDepth.value - 1}`;
  for (const wrong of [
    account('a0', deepest),
    account('b', 'nobody'),
    account('b', deepest),
    account('a0', 'a0'),
  ]) {
    const set = accounts.set(wrong);
    assert.ok('code' in set && set.code === 'bad_request', wrong.id);
  }
  accounts.set(account('up'));
  accounts.set(account('down', 'up'));
  const circle = accounts.set(account('up', 'down'));
  assert.ok('code' in circle && /above itself/.test(circle.message));
  accounts.set(account('top'));
  assert.ok('code' in accounts.set(account('a0', 'top')), 'a whole subtree is not lifted past the bound');
});
