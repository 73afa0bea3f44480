/** Forgetting: what only one agent said is gone from every file, what others need stays, and the audit stays clean. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { describe } from 'node:test';
import type { Launch } from '../src/base/control.ts';
import { TABLES } from '../src/db/schema/index.ts';
import { openSqliteStore } from '../src/db/sqlite/store.ts';
import { rebuildRequest } from '../src/journal/context.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';

const CANARY = 'canary-7f3a9c51e2';
const SHARED = 'everybody-knows-this-d41b';
const auth = (token: string) => ({ 'x-mezz-key': token });

const body = (...texts: string[]) =>
  JSON.stringify({
    model: 'claude-x',
    max_tokens: 100,
    messages: texts.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content })),
  });
const say = async (agent: Launch, ...texts: string[]) => {
  const reply = await send(`${agent.origin}/v1/messages`, body(...texts), auth(agent.token));
  assert.equal(reply.status, 200, reply.body.toString());
  return String(reply.headers['x-mezz-call']);
};
const hook = (agent: Launch, id: string, command: string) =>
  send(
    `${agent.origin}/hooks/claude`,
    JSON.stringify({
      hook_event_name: 'PreToolUse',
      session_id: `s-${agent.name}`,
      tool_name: 'Bash',
      tool_use_id: id,
      tool_input: { command },
    }),
    auth(agent.token),
  );

/** The state directory's files that hold the text, as bytes; what the kernel logs is not the store. */
const filesWith = (kernel: TestKernel, text: string) =>
  readdirSync(kernel.stateDir, { withFileTypes: true })
    .filter((file) => file.isFile() && readFileSync(join(kernel.stateDir, file.name)).includes(text))
    .map((file) => file.name);

const isSound = async ({ control }: TestKernel) => {
  assert.deepEqual((await control.call('audit.verify', {})).problems, []);
  assert.deepEqual((await control.call('fsck', {})).problems, []);
};

async function twoAgents(kernel: TestKernel) {
  const fox = await kernel.agent('fox');
  const owl = await kernel.agent('owl');
  const shared = await say(owl, SHARED);
  await say(fox, SHARED);
  await say(fox, SHARED, 'yes', `my secret ${CANARY}`);
  await say(fox, `first ${CANARY} of another talk`);
  await hook(fox, 't1', `echo ${CANARY}`);
  return { fox, owl, shared };
}

describe('forget', () => {
  test('an agent: its bytes are gone from database and log, what others use stays, the audit is clean', async () => {
    const kernel = await startKernel(() => ({ text: 'Hello.' }));
    try {
      const { fox, owl, shared } = await twoAgents(kernel);
      await kernel.control.call('signal', { agent: 'fox', signal: 'pause' });
      assert.notDeepEqual(filesWith(kernel, CANARY), [], 'it was there');
      const gone = await kernel.control.call('forget', { agent: 'fox' });
      assert.deepEqual(gone.agents, [fox.pid]);
      assert.ok(gone.blobs >= 3 && gone.bytes > 0);
      assert.ok(gone.shared >= 1, 'the first message is owl’s too');
      assert.deepEqual(filesWith(kernel, CANARY), []);
      await isSound(kernel);
      // A conversation that goes on is whole again in the journal.
      const later = await say(owl, SHARED, 'yes', 'and more');
      await kernel.stop();
      assert.deepEqual(filesWith(kernel, CANARY), []);
      const store = await openSqliteStore({ directory: kernel.stateDir, tables: TABLES });
      assert.equal((await rebuildRequest(store, shared))?.toString(), body(SHARED));
      assert.equal((await rebuildRequest(store, later))?.toString(), body(SHARED, 'yes', 'and more'));
      const [erase] = (await store.entries({ agent: fox.pid, limit: 99 })).filter(
        ({ kind }) => kind === 'erase',
      );
      assert.deepEqual(JSON.parse(erase?.body ?? ''), {
        owner: 'me',
        agents: [fox.pid],
        bodies: gone.blobs,
        shared: gone.shared,
      });
      await store.close();
    } finally {
      await kernel.close();
    }
  });

  test('a question to a person loses its arguments, and the call that waits for it is refused', async () => {
    const kernel = await startKernel();
    try {
      const agent = await kernel.agent('fox');
      const asked = hook(agent, 't1', `git push --force ${CANARY}`);
      for (let open = 0; open === 0; ) open = (await kernel.control.call('inbox', {})).approvals.length;
      await kernel.control.call('forget', { agent: 'fox' });
      assert.match((await asked).body.toString(), /"permissionDecision":"deny"/);
      const [question] = (await kernel.control.call('inbox', { all: true })).approvals;
      assert.deepEqual([question?.args, question?.digest, question?.state], [{}, '', 'expired']);
      await isSound(kernel);
    } finally {
      await kernel.close();
    }
  });

  test('an owner: everything, and the secret of the commitments; another owner is untouched', async () => {
    const kernel = await startKernel();
    try {
      await twoAgents(kernel);
      const open = { name: 'bee', owner: 'other', client: 'generic', cwd: '/', hooks: false };
      const bee = (await kernel.control.call('agent.open', open)).launches[0] as Launch;
      const theirs = await say(bee, 'a message of somebody else');
      const gone = await kernel.control.call('forget', { owner: 'me' });
      assert.equal(gone.agents.length, 2);
      assert.deepEqual([filesWith(kernel, CANARY), filesWith(kernel, SHARED)], [[], []]);
      await isSound(kernel);
      await kernel.stop();
      const db = new DatabaseSync(join(kernel.stateDir, 'mezz.db'), { readOnly: true });
      const owners = (table: string) =>
        db
          .prepare(`SELECT DISTINCT owner FROM ${table}`)
          .all()
          .map((row) => row.owner);
      for (const table of ['blob', 'message', 'request', 'salt'])
        assert.deepEqual(owners(table), ['other'], table);
      db.close();
      const store = await openSqliteStore({ directory: kernel.stateDir, tables: TABLES });
      assert.equal((await rebuildRequest(store, theirs))?.toString(), body('a message of somebody else'));
      await store.close();
    } finally {
      await kernel.close();
    }
  });

  test('needs one agent or one owner, and names what it does not know', async () => {
    const kernel = await startKernel();
    try {
      await assert.rejects(kernel.control.call('forget', {}), { name: 'ControlFailure' });
      await assert.rejects(kernel.control.call('forget', { owner: 'nobody' }), /no owner "nobody"/);
      await assert.rejects(kernel.control.call('forget', { agent: 'nobody' }), /no agent "nobody"/);
    } finally {
      await kernel.close();
    }
  });
});

describe('gc', () => {
  test('without rules as configured; a dry run first; what went is in the journal and off the disk', async () => {
    const kernel = await startKernel(undefined, 'journal: { keepBytes: 1kB }');
    try {
      const agent = await kernel.agent();
      await say(agent, CANARY.repeat(200));
      const foreseen = await kernel.control.call('gc', { dryRun: true });
      assert.ok(foreseen.blobs > 0 && foreseen.entries === 0);
      assert.notDeepEqual(filesWith(kernel, CANARY), []);
      const gone = await kernel.control.call('gc', {});
      assert.deepEqual({ ...gone, dryRun: true }, foreseen);
      assert.deepEqual(filesWith(kernel, CANARY), []);
      await isSound(kernel);
      const again = await kernel.control.call('gc', { entriesBeforeMs: 1 });
      assert.deepEqual([again.blobs, again.entries], [0, 0]);
    } finally {
      await kernel.close();
    }
  });
});

describe('export', () => {
  test('rows, entries and with --all bodies, into a new directory alone; a place that cannot be is refused', async () => {
    const kernel = await startKernel();
    const directory = join(kernel.stateDir, 'export');
    try {
      const agent = await kernel.agent();
      const call = await say(agent, 'hello export');
      await hook(agent, 't1', 'ls');
      const { files } = await kernel.control.call('export', { directory, bodies: true });
      const rows = new Map(files.map((file) => [file.path.slice(directory.length + 1), file.rows]));
      const { calls } = await kernel.control.call('calls', {});
      assert.deepEqual([rows.get('call.jsonl'), rows.get('bodies'), calls.length], [2, 2, 2]);
      assert.equal(readFileSync(join(directory, 'bodies', call), 'utf8'), body('hello export'));
      const lines = (name: string) => readFileSync(join(directory, name), 'utf8').trim().split('\n');
      const journal = lines('journal.jsonl').map((line) => JSON.parse(line) as { seq: number; leaf: string });
      assert.deepEqual(
        journal.map(({ seq }) => seq),
        journal.map((_, i) => i),
      );
      assert.match(journal[0]?.leaf ?? '', /^[0-9a-f]{64}$/);
      assert.deepEqual(filesWith(kernel, agent.token), []);
      for (const name of readdirSync(directory).filter((file) => file.endsWith('.jsonl')))
        assert.ok(!readFileSync(join(directory, name)).includes(agent.token), name);
      for (const place of [directory, '/proc/mezz-export', join(directory, 'no', 'such')])
        await assert.rejects(
          kernel.control.call('export', { directory: place }),
          { name: 'ControlFailure' },
          place,
        );
      assert.equal((await kernel.control.call('status', {})).agents, 1, 'and the kernel goes on');
    } finally {
      await kernel.close();
    }
  });
});
