/** The ledger in a whole kernel: who pays, what a bill says, and that rows, bills and entries agree, also after a crash. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { boot } from '../src/boot.ts';
import { ControlClient } from '../src/sdk/client.ts';
import { configText, send, startKernel } from './kernel.ts';

const messages = (text = 'hi') =>
  `{ "model": "claude-x", "max_tokens": 100, "messages": [ {"role":"user","content":"${text}"} ] }`;
const auth = (token: string) => ({ 'x-mezz-key': token });

const TREE = `
accounts: { company: { owner: alice }, team: { parent: company }, scripted: { parent: team } }
`;

test('a call is charged to its account and all above it: a limit of a parent binds, and everything agrees', async () => {
  const kernel = await startKernel(undefined, TREE);
  try {
    const agent = await kernel.agent();
    const url = `${agent.origin}/v1/messages`;
    assert.equal((await send(url, messages('one'), auth(agent.token))).status, 200);
    const { accounts } = await kernel.control.call('accounts', {});
    const used = Object.fromEntries(accounts.map(({ id, used }) => [id, used.usage.input]));
    assert.ok((used.scripted ?? 0) > 0);
    assert.deepEqual([used.team, used.company], [used.scripted, used.scripted]);
    assert.equal(accounts.find(({ id }) => id === 'company')?.owner, 'alice');
    const { rows } = await kernel.control.call('bill', { by: 'account' });
    assert.deepEqual(
      rows.map(({ key, usage }) => [key, usage.input]),
      [['scripted', used.scripted]],
    );
    await kernel.control.call('limit.set', {
      scope: 'account:company',
      dimension: 'requests',
      period: 'day',
      cap: 1,
    });
    const over = await send(url, messages('two'), auth(agent.token));
    assert.equal(over.status, 402);
    assert.match(over.body.toString(), /account:company\/requests\/day/);
    assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
  } finally {
    await kernel.close();
  }
});

test('after a crash the accounts above an open call are charged with what it had reserved', async () => {
  const kernel = await startKernel(() => ({ hold: new Promise<void>(() => {}) }), TREE);
  const copy = join(kernel.stateDir, 'crashed');
  try {
    const agent = await kernel.agent();
    const waiting = send(`${agent.origin}/v1/messages`, messages(), auth(agent.token)).catch(() => {});
    await kernel.upstream.seen(1);
    mkdirSync(copy, { mode: 0o700 });
    await kernel.control.call('backup', { path: join(copy, 'mezz.db') });
    // The crashed kernel's directory, without its tree of accounts: who paid is in the entries.
    const again = await boot({ stateDir: copy, port: 0 });
    try {
      const control = new ControlClient(copy);
      const { accounts } = await control.call('accounts', {});
      const used = Object.fromEntries(accounts.map(({ id, used }) => [id, used.usage.input]));
      assert.ok((used.scripted ?? 0) > 0);
      assert.equal(used.company, used.scripted);
      assert.equal(accounts.find(({ id }) => id === 'scripted')?.parent, null);
      const { total } = await control.call('bill', { by: 'account' });
      assert.equal(total.usage.input, used.scripted);
      assert.deepEqual((await control.call('fsck', {})).problems, []);
    } finally {
      await again.close(0);
    }
    await kernel.stop();
    await waiting;
  } finally {
    await kernel.close();
  }
});

test('fsck names a balance and a bill that are not what the entries say', async () => {
  const kernel = await startKernel();
  try {
    const agent = await kernel.agent();
    await send(`${agent.origin}/v1/messages`, messages(), auth(agent.token));
    await send(
      `${agent.origin}/a/${agent.token}/hooks/claude`,
      JSON.stringify({
        hook_event_name: 'PreToolUse',
        session_id: 's',
        tool_name: 'Read',
        tool_use_id: 'tu_9',
        tool_input: { file_path: 'a' },
      }),
    );
    assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
    await kernel.running.close(0);
    const db = new DatabaseSync(join(kernel.stateDir, 'mezz.db'));
    db.exec("UPDATE balance SET cost = cost + 1 WHERE scope = 'owner:me'");
    db.exec("UPDATE usage SET output = output + 1 WHERE model LIKE 'claude%'");
    db.close();
    kernel.running = await boot({
      stateDir: kernel.stateDir,
      configPath: join(kernel.stateDir, 'mezz.yaml'),
      port: 0,
    });
    const { problems } = await kernel.control.call('fsck', {});
    for (const wrong of [/^balance total owner:me: cost differ/, /^bill of today .*claude.*: output differ/])
      assert.ok(
        problems.some((problem) => wrong.test(problem)),
        problems.join(),
      );
  } finally {
    await kernel.close();
  }
});

test('a bill of one agent holds its sub-agents too, and names who they are; a key says when it was used', async () => {
  const kernel = await startKernel();
  try {
    const parent = await kernel.agent('parent');
    const other = await kernel.agent('other');
    for (const [who, label] of [
      [parent, {}],
      [parent, { 'x-mezz-agent': 'child' }],
      [other, {}],
    ] as const)
      await send(`${parent.origin}/v1/messages`, messages(), { ...auth(who.token), ...label });
    const bill = await kernel.control.call('bill', { by: 'agent', agent: 'parent' });
    assert.deepEqual(bill.rows.map(({ name }) => name).sort(), ['parent', 'parent.child']);
    assert.equal(bill.total.requests, 2);
    assert.equal((await kernel.control.call('bill', { by: 'day', agent: 'other' })).total.requests, 1);
    assert.equal((await kernel.control.call('bill', { by: 'owner' })).total.requests, 3);
    assert.ok(bill.estimateError !== null);
    const last = async () => (await kernel.control.call('keys', {})).keys.map(({ lastUsedAt }) => lastUsedAt);
    const before = await last();
    assert.ok(before.every((at) => at !== null));
    await kernel.restart();
    assert.deepEqual(await last(), before, 'written when the kernel ended');
    const after = await kernel.control.call('bill', { by: 'agent' });
    assert.equal(after.estimateError, bill.estimateError, 'what was learned survives');
  } finally {
    await kernel.close();
  }
});

test("a client's own login is an account from its first call on; mezz.yaml can put it under a parent whose limit binds it", async () => {
  const kernel = await startKernel();
  const write = (more: string) => {
    const text = configText(kernel.upstream.origin, more).replace(
      'credential: local',
      'credential: client, provider: anthropic',
    );
    writeFileSync(join(kernel.stateDir, 'mezz.yaml'), text);
    return kernel.control.call('config.reload', {});
  };
  try {
    assert.deepEqual((await write('')).problems, []);
    const agent = await kernel.agent();
    const ask = (text: string) =>
      send(`${agent.origin}/v1/messages`, messages(text), {
        ...auth(agent.token),
        authorization: 'Bearer sk-ant-oat01-not-a-real-login',
      });
    assert.equal((await ask('one')).status, 200);
    const login = (await kernel.control.call('accounts', {})).accounts.find(({ kind }) => kind === 'client');
    assert.match(login?.id ?? '', /^client:anthropic:[0-9a-f]{12}$/);
    assert.deepEqual([login?.parent, login?.provider, login?.used.requests], [null, 'anthropic', 1]);
    const limit = 'limits: [{ scope: "account:team", dimension: requests, period: total, cap: 1 }]';
    assert.deepEqual(
      (await write(`accounts: { team: {}, "${login?.id}": { parent: team } }\n${limit}`)).problems,
      [],
    );
    assert.equal((await ask('two')).status, 200, 'what was used before it had a parent stays its own');
    assert.equal((await ask('three')).status, 402);
    assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
  } finally {
    await kernel.close();
  }
});

test('where retention has dropped entries, fsck proves what it can and accuses nobody', async () => {
  const kernel = await startKernel();
  try {
    const agent = await kernel.agent();
    // Whole tiles of 256 entries go; a call has two.
    for (let i = 0; i < 140; i++)
      await send(`${agent.origin}/v1/messages`, messages(`${i}`), auth(agent.token));
    await kernel.control.call('gc', { entriesBeforeMs: Date.now() + 1 });
    const { pruned, problems } = await kernel.control.call('audit.verify', {});
    assert.ok(pruned >= 256);
    assert.deepEqual(problems, []);
    assert.deepEqual((await kernel.control.call('fsck', {})).problems, []);
  } finally {
    await kernel.close();
  }
});
