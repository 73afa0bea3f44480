import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountId } from '../base/ids.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { type Account, Accounts } from './accounts.ts';

const id = (name: string) => name as AccountId;
const account = (name: string, parent: string | null = null): Account => ({
  id: id(name),
  parent: parent as AccountId | null,
  kind: 'kernel',
  provider: 'openai',
  owner: null,
});

test('a call is charged to its account and to all above it, also after a restart', async () => {
  const store = new MemoryStore();
  const accounts = await Accounts.open(store);
  await store.commit(
    accounts.declare([account('key', 'team'), account('company'), account('team', 'company')]),
  );
  assert.deepEqual(accounts.chain(id('key')), ['key', 'team', 'company']);
  const again = await Accounts.open(store);
  assert.deepEqual(again.chain(id('key')), ['key', 'team', 'company']);
  assert.deepEqual(again.declare(accounts.list()).puts, [], 'the same tree writes nothing');
});

test('an account that left the tree stays known and stands alone', async () => {
  const accounts = await Accounts.open(new MemoryStore());
  accounts.declare([account('key', 'team'), account('team')]);
  const { puts } = accounts.declare([account('team')]);
  assert.deepEqual(
    puts.map(({ row }) => [row.id, row.parent]),
    [['key', null]],
  );
  assert.deepEqual(accounts.chain(id('key')), ['key']);
});

test('a login of a client becomes an account on first sight and is written once', async () => {
  const accounts = await Accounts.open(new MemoryStore());
  const login = id('client:anthropic:ab12');
  assert.equal(accounts.seen(login, 'client', 'anthropic').puts.length, 1);
  assert.equal(accounts.seen(login, 'client', 'anthropic').puts.length, 0);
  assert.deepEqual(accounts.chain(login), [login]);
});

test('a circle never runs for ever', async () => {
  const accounts = await Accounts.open(new MemoryStore());
  assert.throws(() => accounts.declare([account('a', 'b'), account('b', 'a')]), /circle/);
});
