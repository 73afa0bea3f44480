/**
 * The four anomalies of agents that share tools, by the names that the literature gives them: stale generation, phantom
 * tool, causal cascade, effect reordering. Each is looked for in random interleavings with crashes at random points, without
 * a broker, under one global lock, and through the gate.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Refusal } from '../base/errors.ts';
import type { JsonRecord } from '../base/json.ts';
import type { ToolAnswer, ToolServer } from '../base/ports.ts';
import { settle } from './fixture.test.ts';
import { recover } from './recovery.ts';
import { FILE, type Left, openRoom } from './room.fixture.test.ts';
import { undo } from './undo.ts';

const NAMES = ['ann', 'bob', 'cem'];

/** Where the kernel is killed during a step, if it is: when the client was let go, or when it has acted. */
const cut = fc.constantFrom('no', 'no', 'no', 'no', 'let go', 'acted');

type Member = Awaited<ReturnType<Awaited<ReturnType<typeof openRoom>>['hire']>>;

/** Three agents and a kernel that can be killed: the next one has what was in the store. */
async function openCrew(servers: readonly ToolServer[] = []) {
  const open = async (left?: Left) => {
    const room = await openRoom(servers, left);
    room.parts.settings = { ...room.parts.settings, bodies: 'keep' };
    return room;
  };
  let room = await open();
  room.workspace.write(FILE, '');
  let crew: Member[] = [];
  for (const name of NAMES) crew.push(await room.hire(name));
  const pids = crew.map(({ agent }) => agent.pid);
  let uses = 0;
  const crash = async () => {
    room = await open(room.leave());
    await recover(room.parts);
    crew = pids.map((pid) => room.again(pid));
  };
  return {
    pids,
    crash,
    room: () => room,
    text: () => room.workspace.files.get(FILE) ?? '',
    member: (who: number) => crew[who] as Member,
    /** As a client does it, whatever kernel it asks and tells: asks, acts when it may, tells. */
    async use(who: number, tool: string, act: () => void, at: string): Promise<Refusal | undefined> {
      const id = `turn-${uses++}`;
      room.clock.advanceTo(room.clock.now() + 1);
      const refused = await crew[who]?.before(tool, { file_path: FILE }, id);
      if (refused) return refused;
      if (at === 'let go') await crash();
      act();
      if (at === 'acted') await crash();
      await crew[who]?.after(id);
      return undefined;
    },
  };
}

/** Reads and whole writes of one file; what an agent writes is what it last read and a mark of its own. */
const turns = fc.array(fc.record({ who: fc.nat(2), what: fc.constantFrom('read', 'write'), cut }), {
  minLength: 4,
  maxLength: 16,
});

test('stale generation: a write based on what was replaced since is lost without a broker and under one lock, never through the gate', async () => {
  const lost = { none: 0, lock: 0, mezz: 0 };
  const property = fc.asyncProperty(turns, async (steps) => {
    for (const how of ['none', 'lock', 'mezz'] as const) {
      const crew = await openCrew();
      const seen = NAMES.map(() => '');
      const done: string[] = [];
      // One lock around each call: calls are whole, agents think between them, and a crash forgets who has it.
      let lock = Promise.resolve();
      const call = async (who: number, tool: 'Read' | 'Write', act: () => void, at: string) => {
        if (how === 'mezz') return crew.use(who, tool, act, at);
        if (how === 'lock') lock = at === 'no' ? lock.then(act) : Promise.resolve().then(act);
        else act();
        await lock;
        return undefined;
      };
      const read = (who: number, at: string) =>
        call(
          who,
          'Read',
          () => {
            seen[who] = crew.text();
          },
          at,
        );
      for (const [n, { who, what, cut: at }] of steps.entries()) {
        if (what === 'read') {
          await read(who, at);
          continue;
        }
        const mark = `<${who}.${n}>`;
        const write = () => {
          seen[who] += mark;
          crew.room().workspace.write(FILE, seen[who] as string);
        };
        const refused = await call(who, 'Write', write, at);
        // Who is refused looks again, as it is told to.
        if (refused) {
          assert.match(refused.message, /was changed by (?:ann|bob|cem)/);
          await read(who, 'no');
          assert.equal(await call(who, 'Write', write, 'no'), undefined);
        }
        done.push(mark);
      }
      lost[how] += done.filter((mark) => !crew.text().includes(mark)).length;
    }
    assert.equal(lost.mezz, 0);
  });
  await fc.assert(property, { numRuns: 25 });
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
  const steps = fc.array(fc.constantFrom('change', 'accept', 'crash', 'call', 'call', 'call'), {
    maxLength: 25,
  });
  const property = fc.asyncProperty(steps, async (script) => {
    const { server, state } = changingServer();
    const crew = await openCrew([server]);
    await crew.room().parts.servers.list();
    let accepted = 0;
    for (const step of script) {
      const { parts } = crew.room();
      if (step === 'change') state.generation++;
      else if (step === 'crash') await crew.crash();
      else if (step === 'accept') {
        await parts.servers.accept('box');
        accepted = state.generation;
      } else {
        const before = state.met.length;
        const outcome = await crew.member(0).offered('box__act', {});
        const ran = state.met.length > before;
        assert.equal(ran, accepted === state.generation);
        // Alone, or behind a lock, the server would have run what nobody has seen.
        if (accepted !== state.generation) phantoms++;
        if ('code' in outcome) refusals++;
      }
    }
    assert.ok(!('code' in (await crew.room().parts.servers.list())));
  });
  await fc.assert(property, { numRuns: 40 });
  assert.ok(phantoms > 0 && refusals === phantoms, `${refusals} refused of ${phantoms}`);
});

test('causal cascade: what is taken back takes no work of others with it, and nobody builds on it unknowingly', async () => {
  let built = 0;
  let refused = 0;
  const order = fc.array(fc.record({ who: fc.nat(2), what: fc.constantFrom('read', 'write', 'undo'), cut }), {
    minLength: 5,
    maxLength: 14,
  });
  const property = fc.asyncProperty(order, async (steps) => {
    const crew = await openCrew();
    const seen = NAMES.map(() => '');
    const taken = new Set<string>();
    for (const [n, { who, what, cut: at }] of steps.entries()) {
      const mark = `<${who}.${n}>`;
      const held = crew.text();
      if (what === 'read') {
        const read = () => {
          seen[who] = crew.text();
        };
        await crew.use(who, 'Read', read, at);
      } else if (what === 'write') {
        // It builds on what was taken back since: alone or behind one lock, that would come back with it.
        const isBuilt = [...taken].some((gone) => seen[who]?.includes(gone) && !held.includes(gone));
        if (isBuilt) built++;
        const write = () => {
          seen[who] += mark;
          crew.room().workspace.write(FILE, seen[who] as string);
        };
        const why = await crew.use(who, 'Write', write, at);
        if (isBuilt) assert.equal(why?.code, 'stale');
        if (why) refused++;
      } else {
        const takeBack = () =>
          undo(crew.room().gate, {
            of: { agents: new Set([crew.pids[who] ?? 0]) },
            sinceMs: 0,
            isDry: false,
          });
        if (at === 'no') await takeBack();
        else {
          // Killed in the middle; whoever asked for it asks again.
          void takeBack();
          for (let turn = 0; turn < n % 5; turn++) await settle();
          await crew.crash();
          await takeBack();
        }
        const gone = (held.match(/<\d\.\d+>/g) ?? []).filter((one) => !crew.text().includes(one));
        assert.ok(
          gone.every((one) => one.startsWith(`<${who}.`)),
          `${gone} of others went with it`,
        );
        for (const one of gone) taken.add(one);
      }
    }
  });
  await fc.assert(property, { numRuns: 40 });
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

test('effect reordering: effects on one key come in the order in which the calls were made and never twice, and others need not wait', async () => {
  const reordered = { none: 0, lock: 0, mezz: 0 };
  const repeated = { none: 0, lock: 0, mezz: 0 };
  const together = { none: 0, lock: 0, mezz: 0 };
  const script = fc.record({
    calls: fc.array(fc.record({ who: fc.nat(2), key: fc.constantFrom('a', 'b') }), {
      minLength: 4,
      maxLength: 12,
    }),
    // Which of the running calls has its effect next.
    ends: fc.array(fc.nat(100), { minLength: 12, maxLength: 12 }),
    // After so many effects the broker is killed, if so many come; of what runs then, this many still take effect.
    crashAt: fc.option(fc.nat(6)),
    unheard: fc.nat(2),
  });
  const property = fc.asyncProperty(script, async ({ calls, ends, crashAt, unheard }) => {
    for (const how of ['none', 'lock', 'mezz'] as const) {
      const { server, act, open, effects, most } = slowServer();
      const crew = await openCrew([server]);
      let lock: Promise<unknown> = Promise.resolve();
      let life = 0;
      const answered = new Set<number>();
      const send = async (n: number) => {
        const { who, key } = calls[n] as (typeof calls)[number];
        const [input, born] = [{ key, id: String(n), n: String(n) }, life];
        const later = () => lock.then(() => (life === born ? act(input) : undefined));
        const made =
          how === 'mezz'
            ? crew.member(who).offered('box__put', input)
            : how === 'none'
              ? act(input)
              : later();
        if (how === 'lock') lock = made;
        void made.then(() => life === born && answered.add(n));
        await settle();
      };
      const endOne = async (pick: number) => {
        await settle();
        const [next] = open.splice(pick % Math.max(1, open.length), 1);
        next?.end();
        await settle();
        return next;
      };
      for (const n of calls.keys()) await send(n);
      for (let n = 0; n < calls.length * 2; n++) {
        if (n === crashAt) {
          life++;
          lock = Promise.resolve();
          for (const lost of open.splice(0).slice(0, unheard))
            effects.set(lost.key, [...(effects.get(lost.key) ?? []), lost.id]);
          if (how === 'mezz') await crew.crash();
          // Clients that got no answer ask again, in the order of their calls.
          for (const again of calls.keys()) if (!answered.has(again)) await send(again);
        }
        await endOne(ends[n % ends.length] ?? 0);
      }
      for (const ids of effects.values()) {
        if (ids.some((id, at) => Number(id) < Number(ids[at - 1] ?? -1))) reordered[how]++;
        if (new Set(ids).size < ids.length) repeated[how]++;
      }
      together[how] = Math.max(together[how], most());
      if (crashAt === null) assert.equal([...effects.values()].flat().length, calls.length, how);
    }
    assert.deepEqual([reordered.mezz, repeated.mezz], [0, 0]);
  });
  await fc.assert(property, { numRuns: 30 });
  assert.ok(reordered.none > 0, 'without a broker some came in another order');
  assert.ok(repeated.none > 0 && repeated.lock > 0, 'and what was cut was done again, under one lock too');
  assert.equal(together.lock, 1, 'one lock lets one run');
  assert.ok(together.mezz > 1, 'through the gate other keys do not wait');
});
