/**
 * The four anomalies of agents that share tools, by the names that the literature gives them: stale generation, phantom
 * tool, causal cascade, effect reordering. Each is looked for in random interleavings, without a broker, under one global
 * lock, and through the gate.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonRecord } from '../base/json.ts';
import type { ToolAnswer, ToolServer } from '../base/ports.ts';
import { settle } from './fixture.test.ts';
import { FILE, openRoom } from './room.fixture.test.ts';
import { undo } from './undo.ts';

const NAMES = ['ann', 'bob', 'cem'];

/** Reads and whole writes of one file; what an agent writes is what it last read and a mark of its own. */
const turns = fc.array(fc.record({ who: fc.nat(2), what: fc.constantFrom('read', 'write') }), {
  minLength: 4,
  maxLength: 20,
});

test('stale generation: a write based on what was replaced since is lost without a broker and under one lock, never through the gate', async () => {
  const lost = { none: 0, lock: 0, mezz: 0 };
  const property = fc.asyncProperty(turns, async (steps) => {
    for (const how of ['none', 'lock', 'mezz'] as const) {
      const { hire, workspace } = await openRoom();
      workspace.write(FILE, '');
      const crew = await Promise.all(NAMES.map(hire));
      const seen = NAMES.map(() => '');
      const done: string[] = [];
      // One lock around each call: calls are whole, agents think between them.
      let lock = Promise.resolve();
      const call = async (who: number, tool: 'Read' | 'Write', act: () => void) => {
        if (how === 'mezz') return crew[who]?.use(tool, { file_path: FILE }, act);
        if (how === 'lock') lock = lock.then(act);
        else act();
        await lock;
        return undefined;
      };
      const read = (who: number) =>
        call(who, 'Read', () => {
          seen[who] = workspace.files.get(FILE) ?? '';
        });
      for (const [n, { who, what }] of steps.entries()) {
        if (what === 'read') {
          await read(who);
          continue;
        }
        const mark = `<${who}.${n}>`;
        const write = () =>
          call(who, 'Write', () => {
            seen[who] += mark;
            workspace.write(FILE, seen[who] as string);
          });
        const refused = await write();
        // Who is refused looks again, as it is told to.
        if (refused) {
          assert.match(refused.message, /was changed by (?:ann|bob|cem)/);
          await read(who);
          assert.equal(await write(), undefined);
        }
        done.push(mark);
      }
      lost[how] += done.filter((mark) => !workspace.files.get(FILE)?.includes(mark)).length;
    }
    assert.equal(lost.mezz, 0);
  });
  await fc.assert(property, { numRuns: 40 });
  assert.ok(lost.none > 0 && lost.lock > 0, JSON.stringify(lost));
});

/** A server whose tool changes its meaning, and that tells what each call met. */
function changingServer() {
  const state = { generation: 0, met: [] as number[] };
  const server: ToolServer = {
    spec: { id: 'box', command: [], env: {}, cwd: '/' },
    osPid: undefined,
    said: '',
    describe: async () => ({
      software: 'box',
      tools: [{ name: 'act', description: `generation ${state.generation}` }],
    }),
    call: async (ticket) => {
      ticket.use();
      state.met.push(state.generation);
      return { kind: 'called', result: { content: [] }, isError: false };
    },
    close: async () => {},
  };
  return { server, state };
}

test('phantom tool: what runs is the definition that was accepted; without a broker a changed one runs unseen', async () => {
  let phantoms = 0;
  let refusals = 0;
  const steps = fc.array(fc.constantFrom('change', 'accept', 'call', 'call', 'call'), { maxLength: 25 });
  const property = fc.asyncProperty(steps, async (script) => {
    const { server, state } = changingServer();
    const { hire, parts } = await openRoom([server]);
    const agent = await hire('ann');
    await parts.servers.list();
    let accepted = 0;
    for (const step of script) {
      if (step === 'change') state.generation++;
      else if (step === 'accept') {
        await parts.servers.accept('box');
        accepted = state.generation;
      } else {
        const before = state.met.length;
        const outcome = await agent.offered('box__act', {});
        const ran = state.met.length > before;
        assert.equal(ran, accepted === state.generation);
        // Alone, or behind a lock, the server would have run what nobody has seen.
        if (accepted !== state.generation) phantoms++;
        if ('code' in outcome) refusals++;
      }
    }
    assert.ok(!('code' in (await parts.servers.list())));
  });
  await fc.assert(property, { numRuns: 60 });
  assert.ok(phantoms > 0 && refusals === phantoms, `${refusals} refused of ${phantoms}`);
});

test('causal cascade: what is taken back takes no work of others with it, and nobody builds on it unknowingly', async () => {
  let built = 0;
  let refused = 0;
  const order = fc.array(fc.record({ who: fc.nat(2), what: fc.constantFrom('read', 'write', 'undo') }), {
    minLength: 5,
    maxLength: 16,
  });
  const property = fc.asyncProperty(order, async (steps) => {
    const room = await openRoom();
    const { hire, workspace, gate, parts } = room;
    parts.settings = { ...parts.settings, bodies: 'keep' };
    workspace.write(FILE, '');
    const crew = await Promise.all(NAMES.map(hire));
    const seen = NAMES.map(() => '');
    const now = () => workspace.files.get(FILE) ?? '';
    const taken = new Set<string>();
    for (const [n, { who, what }] of steps.entries()) {
      const mark = `<${who}.${n}>`;
      const held = now();
      if (what === 'read')
        await crew[who]?.use('Read', { file_path: FILE }, () => {
          seen[who] = now();
        });
      else if (what === 'write') {
        // It builds on what was taken back since: alone or behind one lock, that would come back with it.
        const isBuilt = [...taken].some((gone) => seen[who]?.includes(gone) && !held.includes(gone));
        if (isBuilt) built++;
        const why = await crew[who]?.use('Write', { file_path: FILE }, () => {
          seen[who] += mark;
          workspace.write(FILE, seen[who] as string);
        });
        if (isBuilt) assert.equal(why?.code, 'stale');
        if (why) refused++;
      } else {
        const pid = crew[who]?.agent.pid ?? 0;
        await undo(gate, { of: { agents: new Set([pid]) }, sinceMs: 0, isDry: false });
        const gone = (held.match(/<\d\.\d+>/g) ?? []).filter((one) => !now().includes(one));
        assert.ok(
          gone.every((one) => one.startsWith(`<${who}.`)),
          `${gone} of others went with it`,
        );
        for (const one of gone) taken.add(one);
      }
    }
  });
  await fc.assert(property, { numRuns: 60 });
  assert.ok(built > 0 && refused >= built, `${built} built on what was gone, ${refused} refused`);
});

/** A server whose effects come when a test says so; the order in which they came is kept by key. */
function slowServer() {
  const open: { readonly key: string; readonly id: string; end(): void }[] = [];
  const effects = new Map<string, string[]>();
  let most = 0;
  const tools = { put: { resources: [{ key: 'server:{server}/{key}', access: 'delta' as const }] } };
  const act = ({ key, id }: JsonRecord): Promise<ToolAnswer> =>
    new Promise((resolve) => {
      const end = () => {
        effects.set(String(key), [...(effects.get(String(key)) ?? []), String(id)]);
        resolve({ kind: 'called', result: { content: [] }, isError: false });
      };
      open.push({ key: String(key), id: String(id), end });
      most = Math.max(most, open.length);
    });
  const server: ToolServer = {
    spec: { id: 'box', command: [], env: {}, cwd: '/', manifest: { tools } },
    osPid: undefined,
    said: '',
    describe: async () => ({ software: 'box', tools: [{ name: 'put' }] }),
    call: (ticket, _tool, input) => {
      ticket.use();
      return act(input);
    },
    close: async () => {},
  };
  return { server, act, open, effects, most: () => most };
}

test('effect reordering: effects on one key come in the order in which the calls were made, and others need not wait', async () => {
  const reordered = { none: 0, lock: 0, mezz: 0 };
  const together = { none: 0, lock: 0, mezz: 0 };
  const script = fc.record({
    calls: fc.array(fc.record({ who: fc.nat(2), key: fc.constantFrom('a', 'b') }), {
      minLength: 4,
      maxLength: 12,
    }),
    // Which of the running calls has its effect next.
    ends: fc.array(fc.nat(100), { minLength: 12, maxLength: 12 }),
  });
  const property = fc.asyncProperty(script, async ({ calls, ends }) => {
    for (const how of ['none', 'lock', 'mezz'] as const) {
      const { server, act, open, effects, most } = slowServer();
      const { hire } = await openRoom([server]);
      const crew = await Promise.all(NAMES.map(hire));
      let lock: Promise<unknown> = Promise.resolve();
      for (const [n, { who, key }] of calls.entries()) {
        const input = { key, id: String(n) };
        if (how === 'none') void act(input);
        else if (how === 'lock') lock = lock.then(() => act(input));
        else void crew[who]?.offered('box__put', input);
        await settle();
      }
      for (let n = 0; n < calls.length; n++) {
        await settle();
        const [next] = open.splice((ends[n] ?? 0) % Math.max(1, open.length), 1);
        next?.end();
        await settle();
      }
      for (const ids of effects.values())
        if (ids.some((id, at) => Number(id) < Number(ids[at - 1] ?? -1))) reordered[how]++;
      together[how] = Math.max(together[how], most());
      assert.equal([...effects.values()].flat().length, calls.length, how);
    }
    assert.equal(reordered.mezz, 0);
  });
  await fc.assert(property, { numRuns: 30 });
  assert.ok(reordered.none > 0, 'without a broker some came in another order');
  assert.deepEqual([reordered.lock, together.lock], [0, 1], 'one lock keeps the order and lets one run');
  assert.ok(together.mezz > 1, 'through the gate other keys do not wait');
});
