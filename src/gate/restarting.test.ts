import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256Hex } from '../base/hash.ts';
import type { ToolServer } from '../base/ports.ts';
import { CHANGE, HOLD, SEEN, VERSION } from '../db/schema/tools.ts';
import { LIMITS } from '../tools/limits.ts';
import { Versions } from '../tools/versions.ts';
import { closeAgent } from './exits.ts';
import { settle } from './fixture.test.ts';
import { recover } from './recovery.ts';
import { FILE, type Left, openRoom } from './room.fixture.test.ts';

/** Where nothing is kept of contents, their hashes are not either. */
async function open(left?: Left, servers: readonly ToolServer[] = []) {
  const room = await openRoom(servers, left);
  room.parts.settings = { ...room.parts.settings, bodies: 'keep' };
  return room;
}

test('after a restart a replace of what a peer has changed since is refused as before, and passes after another read', async () => {
  const before = await open();
  before.workspace.write(FILE, 'old');
  const [ann, bob] = [await before.hire('ann'), await before.hire('bob')];
  await ann.read();
  await bob.read();
  assert.equal(await bob.write("bob's"), undefined);
  const room = await open(before.leave());
  await recover(room.parts);
  const a = room.again(ann.agent.pid);
  assert.match(
    (await a.write("ann's"))?.message ?? '',
    /a\.txt was changed by bob \(\d+\) with Write, \d+ s ago, call c\w+, since ann last read it/,
  );
  assert.equal(await room.again(bob.agent.pid).write("bob's, again"), undefined, 'who has seen it may');
  await a.read();
  assert.equal(await a.write("bob's and ann's"), undefined);
});

test('what a call at a tool server had changed when the kernel was killed is its own change, in doubt or not', async () => {
  const state: { act(): void } = { act: () => {} };
  const edit = { resources: [{ key: 'file:{path}', access: 'delta' as const }] };
  const server: ToolServer = {
    spec: { id: 'box', command: [], env: {}, cwd: '/', manifest: { tools: { edit } } },
    osPid: undefined,
    said: '',
    describe: async () => ({ software: 'box', tools: [{ name: 'edit' }] }),
    call: (ticket) => {
      ticket.use();
      state.act();
      return new Promise(() => {});
    },
    close: async () => {},
  };
  const before = await open(undefined, [server]);
  before.workspace.write(FILE, 'old');
  const [ann, bob] = [await before.hire('ann'), await before.hire('bob')];
  await ann.read();
  state.act = () => before.workspace.write(FILE, "bob's");
  void bob.offered('box__edit', { path: FILE });
  while (before.workspace.files.get(FILE) === 'old') await settle();
  const room = await open(before.leave(), [server]);
  assert.equal(await recover(room.parts), 1);
  assert.match(
    (await room.again(ann.agent.pid).write("ann's"))?.message ?? '',
    /a\.txt was changed by bob \(\d+\) with edit/,
  );
  assert.equal(room.parts.broker.counts.round, 0);
  const [change] = await room.store.range(CHANGE, { limit: 10 });
  assert.equal(change?.after, sha256Hex(Buffer.from("bob's")), 'and can be taken back');
});

test('what was written round the gate while no kernel ran is noticed, and what an agent saw is forgotten with it', async () => {
  const before = await open();
  before.workspace.write(FILE, 'old');
  const [ann, bob] = [await before.hire('ann'), await before.hire('bob')];
  await ann.read();
  await bob.read();
  await closeAgent(before.gate, bob.agent, { exitCode: 0, signal: null });
  before.workspace.write(FILE, "an editor's");
  const room = await open(before.leave());
  assert.match((await room.again(ann.agent.pid).write("ann's"))?.message ?? '', /somebody round mezz/);
  assert.equal(room.parts.broker.counts.round, 1);
  assert.deepEqual(
    (await room.store.range(SEEN, { limit: 10 })).map(({ agent }) => agent),
    [ann.agent.pid],
  );
});

test('a call that its client runs on keeps its locks over a restart, until its end is told or for the rest of its time', async () => {
  for (const isTold of [true, false]) {
    const before = await open();
    before.workspace.write(FILE, 'old');
    const [ann, bob] = [await before.hire('ann'), await before.hire('bob')];
    await bob.read();
    assert.equal(await ann.before('Write', { file_path: FILE }, 'w1'), undefined);
    const room = await open(before.leave());
    await recover(room.parts);
    assert.equal(room.parts.broker.locks.busy, 1);
    const [a, b] = [room.again(ann.agent.pid), room.again(bob.agent.pid)];
    const second = b.before('Write', { file_path: FILE }, 'w2');
    await settle();
    assert.deepEqual(
      [...room.parts.waits.all()].map(({ reason, resource }) => `${reason} ${resource}`),
      [`lock file:${FILE}`],
    );
    room.workspace.write(FILE, "ann's");
    if (isTold) await a.after('w1');
    else room.clock.advanceTo(room.clock.now() + LIMITS.lockWaitMs.value - 1);
    if (!isTold) {
      await settle();
      assert.equal(room.parts.broker.locks.busy, 1, 'nobody has told its end');
      await closeAgent(room.gate, b.agent, { exitCode: 0, signal: null });
      room.clock.advanceTo(room.clock.now() + LIMITS.holdMs.value);
      assert.equal(room.parts.broker.locks.busy, 0);
      continue;
    }
    assert.match((await second)?.message ?? '', /was changed by ann \(\d+\) with Write/);
    assert.equal(room.parts.broker.locks.busy, 0);
    assert.deepEqual(await room.store.range(HOLD, { limit: 10 }), []);
  }
});

test('a file that was forgotten among very many is not taken for seen when it is known again', () => {
  const versions = new Versions();
  const author = { agent: 2, name: 'bob', tool: 'Write', call: 'c1', at: 0 };
  for (let n = 0; n < 3; n++) versions.wrote('file:/a', author, true);
  versions.stamp(1, 'file:/a');
  assert.equal(versions.unseen(1, 'file:/a'), undefined);
  for (let n = 0; n < LIMITS.knownKeys.value; n++) versions.see(`file:/${n}`, undefined);
  assert.equal(versions.knows('file:/a'), false);
  assert.equal(versions.size, LIMITS.knownKeys.value);
  versions.wrote('file:/a', author, true);
  assert.equal(versions.unseen(1, 'file:/a')?.author.agent, 2);
});

test('what is kept of versions is bounded, and goes with the agents that are forgotten', async () => {
  const before = await open();
  const ann = await before.hire('ann');
  for (let n = 0; n < 5; n++) before.workspace.write(`/repo/${n}.txt`, 'old');
  for (let n = 0; n < 5; n++)
    await ann.use('Write', { file_path: `/repo/${n}.txt` }, () =>
      before.workspace.write(`/repo/${n}.txt`, 'new'),
    );
  const rows = () => before.store.range(VERSION, { limit: 10 });
  assert.equal((await rows()).length, 5);
  // A second look at what has not changed writes nothing.
  const { batches } = await before.store.stats();
  const { versions } = before.parts.broker;
  versions.stamp(ann.agent.pid, 'file:/repo/1.txt');
  assert.deepEqual(before.parts.broker.takeFresh(), { puts: [], deletes: [] });
  assert.equal((await before.store.stats()).batches, batches);
  // Of who is gone nothing is known again, and its rows go.
  const next = await Versions.open(before.store, () => false);
  assert.deepEqual([next.size, next.takeFresh(0).deletes.length], [5, 5]);
  versions.erase(new Set([ann.agent.pid]));
  await before.store.commit(before.parts.broker.takeFresh());
  assert.deepEqual([await rows(), await before.store.range(SEEN, { limit: 10 })], [[], []]);
});
