/** Versions of what a tool server holds, where nothing but what its tools say they do is known of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Access } from '../base/manifest.ts';
import type { ToolAnswer, ToolServer } from '../base/ports.ts';
import { recover } from './recovery.ts';
import { openRoom } from './room.fixture.test.ts';

const TOOLS: Readonly<Record<string, readonly [key: string, access: Access]>> = {
  get: ['server:{server}/doc/{id}', 'read'],
  put: ['server:{server}/doc/{id}', 'replace'],
  edit: ['server:{server}/doc/{id}', 'delta'],
  all: ['server:{server}/doc', 'read'],
  sweep: ['server:{server}', 'delta'],
  fetch: ['url:http://x.test/doc/{id}', 'read'],
  store: ['url:http://x.test/doc/{id}', 'replace'],
  add: ['url:http://x.test/doc', 'delta'],
};

function newBox() {
  const state: { answer: ToolAnswer } = {
    answer: { kind: 'called', result: { content: [] }, isError: false },
  };
  const tools = Object.fromEntries(
    Object.entries(TOOLS).map(([name, [key, access]]) => [name, { resources: [{ key, access }] }]),
  );
  const names = [...Object.keys(TOOLS), 'strange'];
  const server: ToolServer = {
    spec: { id: 'box', command: [], env: {}, cwd: '/', manifest: { tools } },
    osPid: undefined,
    said: '',
    describe: async () => ({ software: 'box', tools: names.map((name) => ({ name })) }),
    call: async (ticket) => {
      ticket.use();
      return state.answer;
    },
    close: async () => {},
  };
  return { server, state };
}

async function openPair() {
  const { server, state } = newBox();
  const room = await openRoom([server]);
  room.parts.settings = { ...room.parts.settings, bodies: 'keep' };
  const [ann, bob] = [await room.hire('ann'), await room.hire('bob')];
  const told = async (who: typeof ann, tool: string, id = '1') => {
    const outcome = await who.offered(`box__${tool}`, { id });
    return 'code' in outcome ? outcome.message : 'done';
  };
  return { ...room, server, state, ann, bob, told };
}

test('a replace of what a peer has written since is refused, says by whom, and passes after another read', async () => {
  for (const [read, write, name] of [
    ['get', 'put', 'server:box/doc/1'],
    ['fetch', 'store', 'http://x.test/doc/1'],
  ] as const) {
    const { ann, bob, told } = await openPair();
    for (const who of [ann, bob]) assert.equal(await told(who, read), 'done');
    assert.equal(await told(bob, write), 'done');
    assert.equal(await told(bob, write), 'done', 'what it wrote itself it knows');
    const refused = await told(ann, write);
    assert.ok(refused.startsWith(`${name} was changed by bob (${bob.agent.pid}) with ${write}`), refused);
    assert.match(refused, /since ann last read it/);
    assert.equal(await told(ann, write, '2'), 'done', 'another is another');
    assert.equal(await told(ann, read), 'done');
    assert.equal(await told(ann, write), 'done');
    assert.match(await told(bob, write), /changed by ann/);
  }
});

test('what changes a part changes what its readers saw of the whole, and the other way round', async () => {
  const { ann, bob, told } = await openPair();
  await told(ann, 'get');
  await told(bob, 'edit');
  assert.match(await told(ann, 'put'), /changed by bob .* with edit/);
  await told(ann, 'all');
  assert.equal(await told(ann, 'put'), 'done', 'who has read all has read this');
  for (const tool of ['sweep', 'strange']) {
    await told(ann, 'get');
    await told(bob, tool);
    assert.match(await told(ann, 'put'), new RegExp(`changed by bob .* with ${tool}`));
  }
});

test('who has never read it is not held to what it cannot read; a write of its own is a change to who has', async () => {
  const { ann, bob, told } = await openPair();
  for (const who of [ann, bob, ann]) assert.equal(await told(who, 'put'), 'done');
  await told(ann, 'get');
  assert.equal(await told(bob, 'put'), 'done');
  assert.match(await told(ann, 'put'), /changed by bob/);
});

test('what is added at an address changes none of those below it', async () => {
  const { ann, bob, told } = await openPair();
  await told(ann, 'fetch');
  await told(bob, 'add');
  assert.equal(await told(ann, 'store'), 'done');
});

test('a read that failed has shown nothing, a write that failed has changed nothing, one in doubt may have', async () => {
  const { ann, bob, told, state } = await openPair();
  const good = state.answer;
  const bad: ToolAnswer = { kind: 'called', result: { content: [] }, isError: true };
  await told(ann, 'get');
  state.answer = bad;
  await told(bob, 'put');
  state.answer = good;
  assert.equal(await told(ann, 'put'), 'done');
  state.answer = { kind: 'broken', refusal: { code: 'in_doubt', message: 'it ended' } };
  await told(bob, 'edit', '1');
  state.answer = bad;
  await told(ann, 'get');
  state.answer = good;
  assert.match(await told(ann, 'put'), /changed by bob .* with edit/);
});

test('after a restart it is refused as before', async () => {
  const { ann, bob, told, leave, server } = await openPair();
  await told(ann, 'get');
  await told(bob, 'put');
  const next = await openRoom([server], leave());
  await recover(next.parts);
  const outcome = await next.again(ann.agent.pid).offered('box__put', { id: '1' });
  assert.match('code' in outcome ? outcome.message : '', /changed by bob/);
});

test('of a server that nobody described nothing is kept with each call', async () => {
  const { ann, told, parts } = await openPair();
  await told(ann, 'strange');
  assert.equal(parts.broker.versions.size, 0);
});
