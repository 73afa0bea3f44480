import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonRecord } from '../base/json.ts';
import type { ToolServer } from '../base/ports.ts';
import { CALL } from '../db/schema/journal.ts';
import { CHANGE } from '../db/schema/tools.ts';
import { LIMITS as TOOL_LIMITS } from '../tools/limits.ts';
import { LIMITS } from './limits.ts';
import { FILE, openRoom } from './room.fixture.test.ts';
import { type Undone, undo } from './undo.ts';

/** A server of notes with a tool that takes a note back, one that makes up for a letter, and one that nothing undoes. */
function newNotes() {
  const notes = new Map<string, string>();
  const letters: string[] = [];
  const act: Record<string, (input: JsonRecord) => JsonRecord> = {
    add: ({ id, text }) => ({ id: notes.set(String(id), String(text)) && String(id) }),
    drop: ({ id }) => ({ id: notes.delete(String(id)) && String(id) }),
    send: ({ to }) => ({ letter: letters.push(`to ${to}`) }),
    apologise: ({ letter }) => ({ letter: letters.push(`sorry for ${letter}`) }),
    burn: () => ({}),
  };
  const key = 'server:{server}/notes/{id}';
  const server: ToolServer = {
    spec: {
      ...{ id: 'notes', command: [], env: {}, cwd: '/' },
      manifest: {
        tools: {
          add: {
            resources: [{ key, access: 'delta' }],
            undo: { tool: 'drop', input: { id: '{result.id}' } },
          },
          drop: { resources: [{ key, access: 'delta' }] },
          send: {
            resources: [{ key: 'server:{server}/post', access: 'external' }],
            undo: { tool: 'apologise', input: { letter: '{result.letter}' }, compensates: true },
          },
          apologise: { resources: [{ key: 'server:{server}/post', access: 'external' }] },
          burn: { resources: [{ key: 'server:{server}/notes', access: 'delta' }] },
        },
      },
    },
    osPid: undefined,
    said: '',
    describe: async () => ({ software: 'notes', tools: Object.keys(act).map((name) => ({ name })) }),
    call: async (ticket, tool, input) => {
      ticket.use();
      return { kind: 'called', result: { structuredContent: act[tool]?.(input) ?? {} }, isError: false };
    },
    close: async () => {},
  };
  return { server, notes, letters };
}

async function openUndoing() {
  const box = newNotes();
  const room = await openRoom([box.server]);
  room.parts.settings = { ...room.parts.settings, bodies: 'keep' };
  const ask = async (of: { agent: { pid: number } } | { call: string }, more: object = {}) =>
    undo(room.gate, {
      of: 'call' in of ? of : { agents: new Set([of.agent.pid]) },
      ...{ sinceMs: 0, isDry: false, ...more },
    });
  return { ...room, ...box, ask };
}

const tell = ({ row, skip, failed }: Undone): string =>
  `${row.kind} ${row.key}: ${failed?.message ?? skip ?? 'undone'}`;

test('an undo puts back what an agent changed, the newest first, by calls of its own, and once', async () => {
  const { hire, workspace, ask, parts } = await openUndoing();
  workspace.write(FILE, 'old');
  const a = await hire('ann');
  await a.read();
  await a.write('new');
  await a.bash('echo x >> a.txt', () => workspace.write(FILE, 'new x'));
  await a.bash('echo made > made.txt', () => workspace.write('/repo/made.txt', 'made'));
  await a.bash('rm a.txt', () => workspace.files.delete(FILE));
  const before = new Map(workspace.files);
  const would = await ask(a, { isDry: true });
  assert.deepEqual([would.map(({ skip }) => skip), workspace.files], [Array(4).fill(undefined), before]);
  const done = await ask(a);
  assert.ok(
    done.every(({ by, skip, failed }) => by !== undefined && skip === undefined && !failed),
    done.map(tell).join(),
  );
  assert.deepEqual([...workspace.files], [[FILE, 'old']]);
  const made = (await parts.store.range(CALL, { limit: 100 })).filter(
    ({ target }) => target === 'mezz/restore_file',
  );
  assert.deepEqual(
    made.map(({ state }) => state),
    Array(4).fill('done'),
  );
  assert.deepEqual(made.map(({ id }) => id).sort(), done.map(({ by }) => by).sort());
  assert.deepEqual(
    parts.agents.find('undo').map(({ hold }) => hold),
    ['exited'],
  );
  assert.ok((await ask(a)).every(({ skip }) => skip?.startsWith('taken back already, by call ')));
  const removal = done.find(({ row }) => row.key.endsWith('made.txt'));
  await ask({ call: removal?.by ?? '' });
  assert.equal(workspace.files.get('/repo/made.txt'), 'made', 'an undo is a call that can be undone');
});

test('what a command throws away that no commit has is put back, whoever wrote it, and so is a directory', async () => {
  const { hire, workspace, ask } = await openUndoing();
  const [mine, made, old] = ['/repo/mine.txt', '/repo/src/made.txt', '/repo/src/deep/old.txt'];
  workspace.write('/repo/.git/HEAD', 'ref: refs/heads/main');
  workspace.write(mine, 'committed');
  workspace.write(old, 'old');
  workspace.committed = new Map([...workspace.files].filter(([path]) => !path.includes('/.git/')));
  workspace.write(mine, "a person's");
  workspace.write(made, 'made');
  const before = new Map(workspace.files);
  const a = await hire('ann');
  const reset = () => workspace.write(mine, 'committed');
  assert.equal(await a.bash('git reset --hard', reset), undefined);
  const clear = () => {
    for (const path of [made, old]) workspace.files.delete(path);
  };
  assert.equal(await a.bash('rm -rf src', clear), undefined);
  assert.deepEqual(
    (await ask(a)).map(tell).sort(),
    [mine, old, made].map((path) => `file file:${path}: undone`),
  );
  assert.deepEqual(new Map([...workspace.files].sort()), new Map([...before].sort()));
});

test('a change of what was too large to be kept is told, and what came before it is left with it', async () => {
  const { hire, workspace, ask } = await openUndoing();
  workspace.write(FILE, 'old');
  const a = await hire('ann');
  await a.read();
  await a.write('x'.repeat(TOOL_LIMITS.beforeBytes.value + 1));
  await a.write('new');
  assert.deepEqual((await ask(a)).map(tell), [
    `file file:${FILE}: what it held before is not kept`,
    `file file:${FILE}: what it did to it later is left`,
  ]);
  assert.equal(workspace.files.get(FILE), 'new');
});

test('what others have since written is left as it is, and it is said whose it is', async () => {
  const { hire, workspace, ask } = await openUndoing();
  const [a, b] = [await hire('ann'), await hire('bob')];
  for (const name of ['one', 'two', 'three'])
    await a.use('Write', { file_path: `/repo/${name}` }, () => workspace.write(`/repo/${name}`, "ann's"));
  await b.use('Edit', { file_path: '/repo/two' }, () => workspace.write('/repo/two', "bob's"));
  workspace.write('/repo/three', "an editor's");
  const done = await ask(a);
  assert.match(done.map(tell).join('\n'), /three: somebody round mezz has changed it since/);
  assert.match(
    done.map(tell).join('\n'),
    /two: bob \(\d+\) with claude-code\/Edit, call c\w+, has changed it since/,
  );
  assert.deepEqual(Object.fromEntries(workspace.files), {
    '/repo/two': "bob's",
    '/repo/three': "an editor's",
  });
});

test('a write between the look and the lock makes one step stale, and the others go on', async () => {
  const { hire, workspace, ask, parts } = await openUndoing();
  const [a, b] = [await hire('ann'), await hire('bob')];
  for (const name of ['one', 'two'])
    await a.use('Write', { file_path: `/repo/${name}` }, () => workspace.write(`/repo/${name}`, "ann's"));
  assert.equal(await b.before('Read', { file_path: '/repo/two' }, 'read'), undefined);
  const undoing = ask(a);
  while (parts.waits.size === 0) await new Promise((done) => setImmediate(done));
  workspace.write('/repo/two', "an editor's");
  await b.after('read');
  const done = await undoing;
  assert.deepEqual(
    done.map(({ failed }) => failed?.code),
    ['stale', undefined],
  );
  assert.deepEqual(Object.fromEntries(workspace.files), { '/repo/two': "an editor's" });
});

test('a call is taken back by its inverse, made up for by a compensation, and left where nobody knows one', async () => {
  const { hire, ask, notes, letters } = await openUndoing();
  const [a, b] = [await hire('ann'), await hire('bob')];
  await a.offered('notes__add', { id: '1', text: 'x' });
  await a.offered('notes__add', { id: '2', text: 'x' });
  await a.offered('notes__send', { to: 'cem' });
  await b.offered('notes__add', { id: '2', text: "bob's" });
  assert.deepEqual(
    (await ask(a)).map((one) => tell(one).replace(/call c\w+/, 'call CALL')),
    [
      'compensation server:notes/post: undone',
      'inverse server:notes/notes/2: bob (3) with notes/add, call CALL, has changed it since',
      'inverse server:notes/notes/1: undone',
    ],
  );
  assert.deepEqual([[...notes.keys()], letters], [['2'], ['to cem', 'sorry for 1']]);
  await a.offered('notes__burn', { id: '7' });
  assert.deepEqual((await ask(a, { sinceMs: 1 })).slice(0, 1).map(tell), [
    'none server:notes/notes: no call is known that takes it back',
  ]);
});

test('where more was changed since than is looked at, no call is taken back by another', async () => {
  const { hire, ask, notes, parts } = await openUndoing();
  const a = await hire('ann');
  await a.offered('notes__add', { id: '1', text: 'x' });
  const [row] = await parts.store.range(CHANGE, { limit: 1 });
  assert.ok(row);
  const puts = Array.from({ length: LIMITS.undoRows.value }, (_, n) => ({
    table: CHANGE,
    row: { ...row, call: `cz${n}`, key: `server:other/${n}`, agent: 99 },
  }));
  await parts.store.commit({ puts });
  assert.deepEqual((await ask(a)).map(tell), [
    'inverse server:notes/notes/1: more was changed since than is looked at',
  ]);
  assert.ok(notes.has('1'));
});

const step = fc.record({ who: fc.nat(2), file: fc.nat(2), what: fc.constantFrom('write', 'edit', 'remove') });

test('whatever the agents did: after an undo no byte of the others is lost, and what only it touched is as before', async () => {
  let undone = 0;
  const property = fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
    const { hire, workspace, ask } = await openUndoing();
    const files = ['/repo/0', '/repo/1', '/repo/2'];
    for (const file of files) workspace.write(file, `start of ${file}`);
    const start = new Map(workspace.files);
    const crew = await Promise.all(['ann', 'bob', 'cem'].map(hire));
    const lastBy = new Map<string, number>();
    const touchedBy = new Map(files.map((file) => [file, new Set<number>()]));
    for (const [n, { who, file, what }] of steps.entries()) {
      const path = files[file] as string;
      const agent = crew[who];
      await agent?.use('Read', { file_path: path });
      const held = workspace.files.get(path);
      const command = `rm ${path}`;
      const [tool, input] =
        what === 'remove' ? ['Bash', { command }] : [what === 'edit' ? 'Edit' : 'Write', { file_path: path }];
      const refused = await agent?.use(tool, input, () => {
        if (what === 'remove') workspace.files.delete(path);
        else
          workspace.write(path, `${what === 'edit' ? (workspace.files.get(path) ?? '') : ''}<${who}.${n}>`);
        if (workspace.files.get(path) === held) return;
        lastBy.set(path, who);
        touchedBy.get(path)?.add(who);
      });
      assert.equal(refused, undefined);
    }
    const before = new Map(workspace.files);
    undone += (await ask(crew[0] as NonNullable<(typeof crew)[0]>)).filter(
      ({ by }) => by !== undefined,
    ).length;
    for (const file of files) {
      if ((lastBy.get(file) ?? 0) !== 0) assert.equal(workspace.files.get(file), before.get(file), file);
      if ([...(touchedBy.get(file) ?? [])].every((who) => who === 0))
        assert.equal(workspace.files.get(file), start.get(file), file);
    }
  });
  await fc.assert(property, { numRuns: 60 });
  assert.ok(undone > 0);
});
