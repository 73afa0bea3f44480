import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { JsonRecord } from '../base/json.ts';
import { POLICIES } from '../scheduler/policies/all.ts';
import type { Policy } from '../scheduler/policy.ts';
import { LIMITS as TOOL_LIMITS } from '../tools/limits.ts';
import { closeAgent } from './exits.ts';
import { settle } from './fixture.test.ts';
import { movedOn } from './locking.ts';
import { FILE, openRoom } from './room.fixture.test.ts';

describe('locks of the agents’ own tools', () => {
  test('a call waits, by name, until the other has ended, and both run one after the other', async () => {
    const { hire, parts } = await openRoom();
    const [a, b] = [await hire('ann'), await hire('bob')];
    assert.equal(await a.before('Edit', { file_path: FILE }, 'ea'), undefined);
    const second = b.before('Edit', { file_path: FILE }, 'eb');
    await settle();
    const [wait] = [...parts.waits.all()];
    assert.equal(wait?.reason, 'lock');
    assert.equal(wait?.resource, `file:${FILE}`);
    assert.deepEqual(
      parts.broker.events.map(({ kind, call, agent, other }) => [kind, call, agent, other]),
      [['conflict', wait?.call, b.agent.pid, a.agent.pid]],
      'the conflict that was avoided, by its call',
    );
    await a.after('ea');
    assert.equal(await second, undefined);
    assert.equal(parts.broker.locks.busy, 1);
    await b.after('eb');
    assert.equal(parts.broker.locks.busy, 0);
  });

  test('what is noticed is listed by its call, within a bound, and what happens often pushes out nothing else', async () => {
    const { broker } = (await openRoom()).parts;
    broker.absorbed({ call: 'c0', agent: 1 }, 'put');
    const bound = TOOL_LIMITS.events.value;
    for (let n = 1; n <= bound + 3; n++) broker.waited({ call: `c${n}`, agent: 1 }, 'calls:box', 0);
    assert.deepEqual([broker.events.length, broker.events[0]?.call], [bound + 1, 'c0']);
    assert.deepEqual([broker.events[1]?.call, broker.events.at(-1)?.call], ['c4', `c${bound + 3}`]);
    assert.deepEqual([broker.counts.waits, broker.counts.conflicts], [bound + 3, 0]);
  });

  test('tool calls are ordered as model calls are: the one with the smaller nice value goes first', async () => {
    const { hire, parts } = await openRoom();
    parts.scheduler.setPolicy(POLICIES.get('mezz') as Policy<unknown>);
    const [has, low, high] = [await hire('has'), await hire('low'), await hire('high')];
    low.agent.nice = 10;
    high.agent.nice = -5;
    const told: string[] = [];
    // A command that cannot be read counts as a write to the checkout.
    assert.equal(await has.before('Bash', { command: 'make' }, 'u1'), undefined);
    const waits = [low, high].map(async ({ agent, bash }) => {
      const refused = await bash('make');
      assert.equal(refused, undefined);
      told.push(agent.name);
    });
    await settle();
    await has.after('u1');
    await Promise.all(waits);
    assert.deepEqual(told, ['high', 'low'], 'though it came later');
  });

  test('disjoint files and readers do not wait; calls of one agent never wait for each other', async () => {
    const { hire, parts } = await openRoom();
    const [a, b] = [await hire('ann'), await hire('bob')];
    for (const [who, tool, path, id] of [
      [a, 'Edit', '/repo/a.txt', '1'],
      [b, 'Edit', '/repo/b.txt', '2'],
      [a, 'Read', '/repo/c.txt', '3'],
      [b, 'Read', '/repo/c.txt', '4'],
      [a, 'Edit', '/repo/a.txt', '5'],
    ] as const)
      assert.equal(await who.before(tool, { file_path: path }, id), undefined);
    assert.equal(parts.broker.locks.busy, 5);
  });

  test('whoever waits too long is told who holds what', async () => {
    const { hire, clock } = await openRoom();
    const [a, b] = [await hire('ann'), await hire('bob')];
    await a.before('Edit', { file_path: FILE }, 'ea');
    const second = b.before('Edit', { file_path: FILE }, 'eb');
    await settle();
    clock.advanceTo(clock.now() + TOOL_LIMITS.lockWaitMs.value);
    const refused = await second;
    assert.equal(refused?.code, 'busy');
    assert.match(refused?.message ?? '', /Waited 30 s: ann \(\d+\) holds file:\/repo\/a\.txt/);
  });

  test('an agent that exits, and one whose client goes on without a word, give their locks back', async () => {
    const { hire, gate, parts, clock } = await openRoom();
    const [a, b] = [await hire('ann'), await hire('bob')];
    await a.before('Edit', { file_path: FILE }, 'ea');
    const second = b.before('Edit', { file_path: FILE }, 'eb');
    await settle();
    await closeAgent(gate, a.agent, { exitCode: 0, signal: null });
    assert.equal(await second, undefined);
    clock.advanceTo(clock.now() + TOOL_LIMITS.holdMs.value);
    assert.equal(parts.broker.locks.busy, 0);
    assert.equal(parts.broker.counts.overrun, 1);
    await b.after('eb');
    assert.equal(parts.broker.locks.busy, 0);
  });

  test('a call that is refused or leaves while it waits holds nothing and blocks nobody', async () => {
    const { hire, gate, parts } = await openRoom();
    const [a, b, c] = [await hire('ann'), await hire('bob'), await hire('cem')];
    await a.before('Read', { file_path: FILE }, 'ra');
    const writer = b.before('Edit', { file_path: FILE }, 'eb');
    await settle();
    const reader = c.before('Read', { file_path: FILE }, 'rc');
    await settle();
    assert.equal(parts.waits.size, 2);
    await closeAgent(gate, b.agent, { exitCode: 0, signal: null });
    assert.equal((await writer)?.code, 'stopped');
    assert.equal(await reader, undefined);
    assert.equal(parts.broker.locks.busy, 2);
  });
});

describe('versions across thinking', () => {
  test('a replace of what a peer has changed since is refused, says by whom, and passes after another read', async () => {
    const { hire, workspace, parts } = await openRoom();
    workspace.write(FILE, 'old');
    const [a, b] = [await hire('ann'), await hire('bob')];
    await a.read();
    await b.read();
    assert.equal(await b.write("bob's"), undefined);
    for (const refused of [
      await a.write("ann's"),
      await a.bash(`echo "ann's" > ${FILE}`, () => assert.fail('it ran')),
    ]) {
      assert.equal(refused?.code, 'stale');
      assert.match(
        refused?.message ?? '',
        /a\.txt was changed by bob \(\d+\) with Write, 0 s ago, call c\w+, since ann last read it/,
      );
      assert.match(refused?.remedy ?? '', /read it again/);
    }
    assert.equal(workspace.files.get(FILE), "bob's");
    await a.bash(`cat ${FILE}`);
    assert.equal(await a.write("bob's and ann's"), undefined);
    assert.equal(parts.broker.counts.stale, 2);
  });

  test('what a living peer wrote is not replaced by one that never read it; what nobody living wrote is', async () => {
    const { hire, gate } = await openRoom();
    const [a, b] = [await hire('ann'), await hire('bob')];
    await b.write("bob's");
    assert.match((await a.write("ann's"))?.message ?? '', /and ann has not read it/);
    await closeAgent(gate, b.agent, { exitCode: 0, signal: null });
    assert.equal(await a.write("ann's"), undefined);
  });

  test('a write round the gate is noticed by content, counted, and refuses a stale write', async () => {
    const { hire, workspace, parts } = await openRoom();
    workspace.write(FILE, 'old');
    const a = await hire('ann');
    await a.read();
    workspace.write(FILE, "an editor's");
    assert.match((await a.write("ann's"))?.message ?? '', /changed by somebody round mezz/);
    assert.equal(parts.broker.counts.round, 1);
    assert.deepEqual(
      parts.broker.events.map(({ kind }) => kind),
      ['round', 'stale'],
    );
  });

  test('an edit of a file that a peer has changed does not count as having read the change', async () => {
    const { hire, workspace } = await openRoom();
    workspace.write(FILE, '1');
    const [a, b] = [await hire('ann'), await hire('bob')];
    await a.read();
    await b.read();
    await b.use('Edit', { file_path: FILE }, () => workspace.write(FILE, '1 bob'));
    await a.use('Edit', { file_path: FILE }, () => workspace.write(FILE, '1 bob ann'));
    assert.equal((await a.write('1 ann'))?.code, 'stale');
  });

  test('a read that failed, or of whose end nobody told, has shown nothing', async () => {
    const { hire, workspace, parts } = await openRoom();
    workspace.write(FILE, 'old');
    const [a, b] = [await hire('ann'), await hire('bob')];
    await a.read();
    assert.equal(await b.use('Edit', { file_path: FILE }, () => workspace.write(FILE, "bob's")), undefined);
    assert.equal(await a.before('Read', { file_path: FILE }, 'failed'), undefined);
    await a.after('failed', true);
    assert.equal((await a.write("ann's"))?.code, 'stale');
    assert.equal(await a.before('Read', { file_path: FILE }, 'untold'), undefined);
    await movedOn(parts, a.agent.pid);
    assert.equal((await a.write("ann's"))?.code, 'stale');
    await a.read();
    assert.equal(await a.write("bob's and ann's"), undefined);
  });

  test('what a command that cannot be read has changed is its own: peers are told, and one that undid a change is noticed', async () => {
    const { hire, workspace, parts } = await openRoom();
    workspace.write(FILE, 'old');
    const [a, b] = [await hire('ann'), await hire('bob')];
    await a.read();
    await b.bash('npx prettier --write .', () => workspace.write(FILE, 'pretty'));
    assert.match((await a.write('mine'))?.message ?? '', /changed by bob \(\d+\) with Bash/);
    await a.bash(`cat ${FILE}`);
    await a.write('mine, pretty');
    await b.bash('node generate.js', () => workspace.write(FILE, 'generated'));
    assert.equal(parts.broker.counts.lost, 1);
  });

  test('reset --hard, clean and stash throw away nothing that a peer has not committed', async () => {
    const { hire, workspace } = await openRoom();
    workspace.write('/repo/.git/HEAD', 'ref: refs/heads/main');
    workspace.write(FILE, 'old');
    workspace.committed = new Map(workspace.files);
    const [a, b] = [await hire('ann'), await hire('bob')];
    await a.read();
    await a.write("ann's line");
    for (const command of [
      'git reset --hard',
      'git checkout -- .',
      'git stash',
      `git restore ${FILE}`,
      'git checkout -f other',
    ])
      assert.match(
        (await b.bash(command))?.message ?? '',
        /a\.txt holds changes by ann \(\d+\) .* that no commit has/,
        command,
      );
    assert.equal(
      await a.bash('node make-it.js', () => workspace.write('/repo/new.txt', 'untracked')),
      undefined,
    );
    assert.match((await b.bash('git clean -fd'))?.message ?? '', /new\.txt holds changes by ann/);
    assert.equal(await a.bash('git clean -fd src'), undefined, 'what is its own it may');
    workspace.committed = new Map(workspace.files);
    assert.equal(await b.bash('git reset --hard'), undefined);
  });

  test('a commit onto a branch that a peer has switched to is refused until its agent has looked', async () => {
    const { hire, workspace } = await openRoom();
    const head = (branch: string) => () => workspace.write('/repo/.git/HEAD', `ref: refs/heads/${branch}`);
    head('main')();
    const [a, b] = [await hire('ann'), await hire('bob')];
    await a.bash('git status');
    await b.bash('git switch other', head('other'));
    assert.match(
      (await a.bash('git commit -am x'))?.message ?? '',
      /The branch that is checked out .* was changed by bob/,
    );
    await a.bash('git status');
    assert.equal(await a.bash('git commit -am x'), undefined);
  });

  test('what a peer has stashed since is taken by nobody who has not looked', async () => {
    const { hire, workspace } = await openRoom();
    const stash = '/repo/.git/refs/stash';
    workspace.write('/repo/.git/HEAD', 'ref: refs/heads/main');
    const [a, b] = [await hire('ann'), await hire('bob')];
    await a.bash('git stash', () => workspace.write(stash, "ann's"));
    const refused = await b.bash('git pull && git stash pop');
    assert.match(refused?.message ?? '', /^The stash \(.*\) was changed by ann/);
    assert.match(refused?.remedy ?? '', /git stash list/);
    await b.bash('git stash list');
    assert.equal(await b.bash('git stash drop stash@{1}'), undefined);
    assert.equal(await a.bash('git stash pop', () => workspace.files.delete(stash)), undefined);
  });

  test('a port with a server that a living peer started is refused', async () => {
    const { hire, workspace } = await openRoom();
    const [a, b] = [await hire('ann'), await hire('bob')];
    await a.bash('python3 -m http.server 8123 &', () => workspace.listening.add(8123));
    assert.match(
      (await b.bash('PORT=8123 node server.js'))?.message ?? '',
      /port 8123 that was started by ann/,
    );
    assert.equal(await a.bash('PORT=8123 node server.js'), undefined);
    workspace.served.set(4242, 8123);
    assert.match((await b.bash('kill -9 4242'))?.message ?? '', /port 8123 that was started by ann/);
    assert.equal(await b.bash('kill -9 4343'), undefined);
    assert.equal(await a.bash('kill 4242'), undefined);
    workspace.listening.clear();
    assert.equal(await b.bash('PORT=8123 node server.js'), undefined);
  });
});

/** One agent's next step; what it writes holds what it last read, and its own mark. */
const step = fc.record({
  who: fc.nat(2),
  what: fc.constantFrom(
    'read',
    'replace',
    'replace',
    'delta',
    'append',
    'guess',
    'end',
    'end',
    'end' as const,
  ),
});

test('no write undoes what another agent wrote, whatever the agents do in whatever order', async () => {
  let refusals = 0;
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const { hire, workspace, parts } = await openRoom();
    workspace.write(FILE, '');
    const crew = await Promise.all(['ann', 'bob', 'cem'].map(hire));
    const seen = ['', '', ''];
    const open: { who: number; id: string; run: () => void }[] = [];
    const now = () => workspace.files.get(FILE) ?? '';
    const see = (who: number, text: string) => {
      seen[who] = text;
      return text;
    };
    const write = (who: number, text: string) => {
      const undone = [...now().matchAll(/<(\d)\.\d+>/g)].filter(
        ([mark, owner]) => Number(owner) !== who && !text.includes(mark),
      );
      assert.deepEqual(undone, [], `agent ${who} undoes what others wrote`);
      workspace.write(FILE, text);
    };
    const end = async () => {
      const first = open.shift();
      first?.run();
      if (first) await crew[first.who]?.after(first.id);
      await settle();
    };
    for (const [n, { who, what }] of steps.entries()) {
      if (what === 'end') {
        await end();
        continue;
      }
      const mark = `<${who}.${n}>`;
      const bash = (command: string): [string, JsonRecord] => ['Bash', { command }];
      const file = { file_path: FILE };
      // A read-modify-write has read by the time it is let go; an agent replaces by what it last read.
      const [[tool, input], act] = (
        {
          read: () => [['Read', file], () => () => see(who, now())],
          replace: () => [['Write', file], () => () => write(who, see(who, seen[who] + mark))],
          append: () => [bash(`echo x >> ${FILE}`), () => () => write(who, now() + mark)],
          delta: () => [['Edit', file], (text: string) => () => write(who, text + mark)],
          guess: () => [bash('npx rewrite'), (text: string) => () => write(who, text + mark)],
        } satisfies Record<string, () => [[string, JsonRecord], (text: string) => () => void]>
      )[what]();
      void crew[who]?.before(tool, input, mark).then((refused) => {
        if (refused) refusals++;
        else open.push({ who, id: mark, run: act(now()) });
      });
      await settle();
    }
    while (open.length > 0) await end();
    assert.deepEqual([parts.broker.locks.busy, parts.waits.size], [0, 0], 'no deadlock, nothing left');
  });
  await fc.assert(property, { numRuns: 100 });
  assert.ok(refusals > 0, 'some writes were stale');
});
