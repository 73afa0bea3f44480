/**
 * Four unmodified coding agents, two Claude Code and two Codex, at once in one git checkout: each writes one shared file
 * anew by a redirect, and commits a file of its own. With their own tools unasked, and asked by hook. What is lost is
 * counted in the checkout.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Client, claude, codex } from '../agents/cases.ts';
import { defineEnclosed } from '../agents/suite.ts';
import { openWorld, type World } from '../agents/world.ts';
import type { Reply, Script, SeenRequest } from '../upstream/upstream.ts';

const CREW: readonly (readonly [name: string, client: Client])[] = [
  ['ann', claude],
  ['bob', claude],
  ['cem', codex],
  ['dai', codex],
];
const WHO = new Map(CREW);

/** Opens when all have come. */
function newGate(count: number) {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const came = new Set<string>();
  return (who: string): Promise<void> => {
    came.add(who);
    if (came.size === count) open();
    return opened;
  };
}

interface Seat {
  step: 'read' | 'write' | 'commit' | 'end';
  told: string;
  refusals: number;
}

/** The model of all four: by what it has been told of its last call, it goes on, or looks again. */
function scriptFor(project: string, seats: Map<string, Seat>): Script {
  const all = newGate(CREW.length);
  const git = 'git -c user.name=agent -c user.email=agent@mezz.invalid';
  return (request: SeenRequest): Reply => {
    const text = request.body.toString('utf8');
    const name = /the work as agent (\w+)/.exec(text)?.[1] ?? '';
    const client = WHO.get(name);
    // What is asked beside the work: a title, a summary.
    if (!client) return { text: 'Nothing.' };
    const seat = seats.get(name) ?? { step: 'read', told: '', refusals: 0 };
    seats.set(name, seat);
    const refused = lastResult(request).match(/mezz: .*/)?.[0];
    if (refused !== undefined && client.results(request) > 0) {
      seat.told = refused;
      seat.refusals++;
      if (seat.step === 'commit') seat.step = 'read';
    }
    const shell = (command: string, hold?: Promise<void>): Reply => ({
      tools: [client.shell(`cd ${project} && ${command}`)],
      ...(hold ? { hold } : {}),
    });
    switch (seat.step) {
      case 'read':
        seat.step = 'write';
        return shell('cat shared.txt');
      case 'write': {
        seat.step = 'commit';
        // What it just saw, and its own line: all have seen the first before any writes.
        const seen = seat.told === '' ? 'first line\n' : readFileSync(join(project, 'shared.txt'), 'utf8');
        return shell(`cat > shared.txt <<'EOF'\n${seen}line of ${name}\nEOF`, all(name));
      }
      case 'commit': {
        seat.step = 'end';
        const file = `work-${name}.txt`;
        return shell(`echo ${name} > ${file} && git add ${file} && ${git} commit -qm "${name}" -- ${file}`);
      }
      default:
        return { text: 'All done.' };
    }
  };
}

/** What its last call came to: clients may say something of their own behind it. */
function lastResult({ json }: SeenRequest): string {
  const items = ([json.input, json.messages].find(Array.isArray) ?? []).map((item) => JSON.stringify(item));
  return (items.findLast((item) => /"tool_result"|_call_output"/.test(item)) ?? '').replaceAll('\\n', '\n');
}

async function work(asked: boolean): Promise<{ lines: number; commits: number; seats: Map<string, Seat> }> {
  const seats = new Map<string, Seat>();
  const login = { ...claude.logins[0], env: { ...claude.logins[0].env, ...codex.logins[0].env } };
  const world: World = await openWorld((project) => scriptFor(project, seats), login.files);
  try {
    const git = (...args: string[]) =>
      execFileSync(
        'git',
        ['-C', world.project, '-c', 'user.name=t', '-c', 'user.email=t@mezz.invalid', ...args],
        {
          encoding: 'utf8',
        },
      );
    writeFileSync(join(world.project, 'shared.txt'), 'first line\n');
    writeFileSync(join(world.project, 'plan.txt'), 'plan\n');
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-qm', 'start');
    await world.up();
    const ended = await Promise.all(
      CREW.map(([name, client]) =>
        world.mezz(
          [
            'run',
            '--name',
            name,
            ...(asked ? [] : ['--no-hooks']),
            '--',
            ...client.command(`Do the work as agent ${name}.`, true),
          ],
          login.env,
        ),
      ),
    );
    for (const { code, out, err } of ended) assert.equal(code, 0, out + err);
    const lines = readFileSync(join(world.project, 'shared.txt'), 'utf8').match(/^line of /gm)?.length ?? 0;
    return { lines, commits: Number(git('rev-list', '--count', 'main')) - 1, seats };
  } finally {
    await world.close();
  }
}

defineEnclosed('four real agents in one checkout', () => {
  test('four real agents in one checkout lose lines unasked; asked by hook they lose no line and no commit, and each that was refused was told by whom', async (t) => {
    const alone = await work(false);
    t.diagnostic(`unasked: ${alone.lines} of 4 lines, ${alone.commits} of 4 commits`);
    assert.ok(alone.lines < CREW.length);
    const { lines, commits, seats } = await work(true);
    const told = [...seats.values()].filter(({ refusals }) => refusals > 0);
    t.diagnostic(
      `asked: ${lines} of 4 lines, ${commits} of 4 commits, ${told.length} were refused: ${told[0]?.told}`,
    );
    assert.deepEqual([lines, commits], [CREW.length, CREW.length]);
    assert.ok(told.length >= 3, 'all but the first to write were told');
    for (const { told: words } of told) assert.match(words, /(?:ann|bob|cem|dai) \(\d+\) with Bash/);
  });
});
