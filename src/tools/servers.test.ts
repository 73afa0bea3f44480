import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../base/clock.ts';
import type { Described, ToolServer, ToolServerSpec } from '../base/ports.ts';
import { MemoryStore } from '../db/memory/store.ts';
import type { Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';
import { ToolServers } from './servers.ts';
import { OWN } from './shorten.ts';
import { viewOf } from './view.ts';

/** A server that says what it is told to, and how often the store was asked for what is accepted of it. */
async function openServer() {
  let reads = 0;
  let said = saying('counts');
  const memory = new MemoryStore();
  const store: Pick<Store, 'get' | 'commit'> = {
    get: (table, key) => {
      reads++;
      return memory.get(table, key);
    },
    commit: (batch) => memory.commit(batch),
  };
  const spec: ToolServerSpec = { id: 'box', command: ['box'], env: {}, cwd: '/' };
  const server: Partial<ToolServer> = { spec, describe: () => Promise.resolve(said) };
  const clock = new VirtualClock();
  const servers = new ToolServers(store as Store, new Map([['box', server as ToolServer]]), clock);
  const find = async () => {
    const found = await servers.find('box__count');
    return 'code' in found ? found.code : String(found.definition.description);
  };
  return {
    servers,
    find,
    reads: () => reads,
    says: (described: Described) => {
      said = described;
    },
  };
}

const saying = (description: string): Described => ({
  software: 'box@1',
  tools: [{ name: 'count', description, inputSchema: { type: 'object' } }],
});

test('what is accepted of a server is looked up once for what it says, not for each call', async () => {
  const { find, reads } = await openServer();
  for (let call = 0; call < 20; call++) assert.equal(await find(), 'counts');
  assert.equal(reads(), 1);
});

test('a call waits for no other server than that of its tool, also where one name begins like the other', async () => {
  const spec = (id: string): ToolServerSpec => ({ id, command: [id], env: {}, cwd: '/' });
  const silent = { spec: spec('mute'), describe: () => new Promise(() => {}) };
  const short = { spec: spec('box'), describe: async () => ({ ...saying('short'), tools: [] }) };
  const long = { spec: spec('box__deep'), describe: async () => saying('deep') };
  const all = [silent, short, long].map((one) => [one.spec.id, one as unknown as ToolServer] as const);
  const servers = new ToolServers(new MemoryStore(), new Map(all), new VirtualClock());
  const found = await servers.find('box__deep__count');
  assert.equal('code' in found ? found.code : found.server, 'box__deep');
});

test('what a server says anew is looked at anew, an acceptance holds at once, and what was accepted before no more', async () => {
  const { servers, find, reads, says } = await openServer();
  const before = saying('counts');
  says(before);
  assert.equal(await find(), 'counts');
  says(saying('counts and tells'));
  assert.deepEqual([await find(), await find()], ['stale', 'stale']);
  assert.equal(reads(), 2);
  assert.ok(!('code' in (await servers.accept('box'))));
  assert.deepEqual([await find(), await find()], ['counts and tells', 'counts and tells']);
  assert.equal(reads(), 3);
  says(before);
  assert.equal(await find(), 'stale', 'an older process that still says the old');
});

test('a server that does not say what it offers keeps nobody from the others, and who listens hears of it when it has', async () => {
  const clock = new VirtualClock();
  let say: (described: Described) => void = () => {};
  const said = new Promise<Described>((resolve) => {
    say = resolve;
  });
  const spec = (id: string): ToolServerSpec => ({ id, command: [id], env: {}, cwd: '/' });
  const slow = { spec: spec('slow'), describe: () => said };
  const quick = { spec: spec('quick'), describe: async () => saying('counts') };
  const all = [slow, quick].map((one) => [one.spec.id, one as Partial<ToolServer> as ToolServer] as const);
  const servers = new ToolServers(new MemoryStore(), new Map(all), clock);
  const heard: string[] = [];
  servers.onChange((server, { kind }) => heard.push(`${server} ${kind}`));
  const lists = [servers.list(), servers.list()];
  await new Promise((resolve) => setImmediate(resolve));
  clock.advanceTo(LIMITS.listMs.value);
  for (const { offers, problems } of await Promise.all(lists)) {
    assert.deepEqual(
      offers.map(({ name }) => name),
      ['quick__count'],
    );
    assert.match(problems[0]?.message ?? '', /slow has not said yet what it offers/);
  }
  const again = servers.list();
  await new Promise((resolve) => setImmediate(resolve));
  clock.advanceTo(clock.now() + LIMITS.slowListMs.value);
  assert.equal((await again).offers.length, 1, 'it is not waited for so long again');
  say(saying('late'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(heard, ['slow tools', 'slow prompts', 'slow resources']);
  assert.deepEqual(
    (await servers.list()).offers.map(({ name }) => name),
    ['quick__count', 'slow__count'],
  );
});

test('lists stay as long as their servers say, whatever mezz adds of its own, and no longer than the first of them', async () => {
  const spec = (id: string): ToolServerSpec => ({ id, command: [id], env: {}, cwd: '/' });
  const ttlOf = async (...ttls: (number | undefined)[]) => {
    const all = ttls.map((ttlMs, n): [string, ToolServer] => {
      const described = { ...saying('counts'), ...(ttlMs === undefined ? {} : { ttlMs }) };
      const server: Partial<ToolServer> = { spec: spec(`box-${n}`), describe: async () => described };
      return [`box-${n}`, server as ToolServer];
    });
    const own: Partial<ToolServer> = { spec: spec(OWN), describe: async () => saying('own') };
    const servers = new ToolServers(
      new MemoryStore(),
      new Map([...all, [OWN, own as ToolServer]]),
      new VirtualClock(),
    );
    const view = await viewOf(servers, undefined);
    return 'code' in view ? view.code : view.ttlMs;
  };
  assert.deepEqual([await ttlOf(5000, 3000), await ttlOf(5000, undefined), await ttlOf()], [3000, 0, 0]);
});
