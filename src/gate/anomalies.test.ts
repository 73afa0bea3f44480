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
/** Nothing between agents and their tools; one lock for all calls; the gate. */
const WAYS = ['none', 'lock', 'mezz'] as const;
const noneYet = () => ({ none: 0, lock: 0, mezz: 0 });

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
  const lost = noneYet();
  const property = fc.asyncProperty(turns, async (steps) => {
    for (const how of WAYS) {
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
  const act = () => void state.met.push(state.generation);
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
      act();
      return { kind: 'called', result: { content: [] }, isError: false };
    },
    close: async () => {},
  };
  return { server, state, act };
}

test('phantom tool: what runs is the definition that was accepted; without a broker, and under one lock, a changed one runs unseen', async () => {
  const phantoms = noneYet();
  let refusals = 0;
  const steps = fc.array(fc.constantFrom('change', 'accept', 'crash', 'call', 'call', 'call'), {
    maxLength: 25,
  });
  const property = fc.asyncProperty(steps, async (script) => {
    for (const how of WAYS) {
      const { server, state, act } = changingServer();
      const crew = await openCrew([server]);
      await crew.room().parts.servers.list();
      // What the agents have looked at: alone they look again when they are told to, as somebody accepts with mezz.
      let accepted = 0;
      let lock = Promise.resolve();
      for (const step of script) {
        const { parts } = crew.room();
        if (step === 'change') state.generation++;
        else if (step === 'crash') await crew.crash();
        else if (step === 'accept') {
          await parts.servers.accept('box');
          accepted = state.generation;
        } else {
          const before = state.met.length;
          if (how === 'mezz') {
            const outcome = await crew.member(0).offered('box__act', {});
            if ('code' in outcome) refusals++;
            assert.equal(state.met.length > before, accepted === state.generation);
          } else if (how === 'lock') lock = lock.then(act);
          else act();
          await lock;
          if (state.met.length > before && accepted !== state.generation) phantoms[how]++;
        }
      }
      assert.ok(!('code' in (await crew.room().parts.servers.list())));
    }
  });
  await fc.assert(property, { numRuns: 40 });
  assert.ok(phantoms.none > 0 && phantoms.lock > 0, JSON.stringify(phantoms));
  assert.deepEqual(
    [phantoms.mezz, refusals],
    [0, phantoms.none],
    'what is refused is what would have been one',
  );
});

/** A file that agents read, write and put back as it was before their last write, with nothing that knows of the others. */
function openFile() {
  const seen = NAMES.map(() => '');
  const backups = NAMES.map((): string[] => []);
  let text = '';
  return {
    text: () => text,
    read: (who: number) => {
      seen[who] = text;
    },
    write: (who: number, mark: string) => {
      backups[who]?.push(text);
      seen[who] += mark;
      text = seen[who] as string;
    },
    takeBack: (who: number) => {
      text = backups[who]?.pop() ?? text;
    },
  };
}

const marksOf = (text: string): string[] => text.match(/<\d\.\d+>/g) ?? [];

/** Counts what went with somebody else's undoing, and what came back of what was taken back. */
class Cascade {
  readonly #taken = new Set<string>();
  dragged = 0;
  revived = 0;

  step(who: number, what: string, before: string, after: string): void {
    const gone = marksOf(before).filter((mark) => !after.includes(mark));
    if (what === 'undo') this.dragged += gone.filter((mark) => !mark.startsWith(`<${who}.`)).length;
    else
      this.revived += marksOf(after).filter((mark) => this.#taken.has(mark) && !before.includes(mark)).length;
    if (what === 'undo') for (const mark of gone) this.#taken.add(mark);
  }

  /** Would this come back? */
  isBuilt(seen: string, held: string): boolean {
    return [...this.#taken].some((mark) => seen.includes(mark) && !held.includes(mark));
  }
}

test('causal cascade: what is taken back takes no work of others with it, and nobody builds on it unknowingly; alone, and under one lock, both happen', async () => {
  const dragged = noneYet();
  const revived = noneYet();
  let built = 0;
  let refused = 0;
  const order = fc.array(fc.record({ who: fc.nat(2), what: fc.constantFrom('read', 'write', 'undo'), cut }), {
    minLength: 8,
    maxLength: 20,
  });
  const property = fc.asyncProperty(order, async (steps) => {
    for (const how of ['none', 'lock'] as const) {
      const file = openFile();
      const cascade = new Cascade();
      let lock = Promise.resolve();
      for (const [n, { who, what }] of steps.entries()) {
        const held = file.text();
        const act = () => {
          if (what === 'read') file.read(who);
          else if (what === 'write') file.write(who, `<${who}.${n}>`);
          else file.takeBack(who);
        };
        if (how === 'lock') lock = lock.then(act);
        else act();
        await lock;
        cascade.step(who, what, held, file.text());
      }
      dragged[how] += cascade.dragged;
      revived[how] += cascade.revived;
    }
    const crew = await openCrew();
    const cascade = new Cascade();
    const seen = NAMES.map(() => '');
    for (const [n, { who, what, cut: at }] of steps.entries()) {
      const held = crew.text();
      if (what === 'read') {
        const read = () => {
          seen[who] = crew.text();
        };
        await crew.use(who, 'Read', read, at);
      } else if (what === 'write') {
        const isBuilt = cascade.isBuilt(seen[who] ?? '', held);
        if (isBuilt) built++;
        const write = () => {
          seen[who] += `<${who}.${n}>`;
          crew.room().workspace.write(FILE, seen[who] as string);
        };
        const why = await crew.use(who, 'Write', write, at);
        if (isBuilt) assert.equal(why?.code, 'stale');
        if (why) refused++;
      } else await takeBack(crew, who, at, n % 5);
      cascade.step(who, what, held, crew.text());
    }
    dragged.mezz += cascade.dragged;
    revived.mezz += cascade.revived;
  });
  await fc.assert(property, { numRuns: 40 });
  assert.ok(dragged.none > 0 && dragged.lock > 0, `${JSON.stringify(dragged)} went with it`);
  assert.ok(revived.none > 0 && revived.lock > 0, `${JSON.stringify(revived)} came back`);
  assert.deepEqual([dragged.mezz, revived.mezz], [0, 0]);
  assert.ok(built > 0 && refused >= built, `${built} built on what was gone, ${refused} refused`);
});

/** `mezz undo` of all that the agent did; killed after so many turns of the loop, whoever asked for it asks again. */
async function takeBack(
  crew: Awaited<ReturnType<typeof openCrew>>,
  who: number,
  at: string,
  turns: number,
): Promise<void> {
  const of = { agents: new Set([crew.pids[who] ?? 0]) };
  const ask = () => undo(crew.room().gate, { of, sinceMs: 0, isDry: false });
  if (at !== 'no') {
    void ask();
    for (let turn = 0; turn < turns; turn++) await settle();
    await crew.crash();
  }
  await ask();
}

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
  const reordered = noneYet();
  const repeated = noneYet();
  const together = noneYet();
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
    for (const how of WAYS) {
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
