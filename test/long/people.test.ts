/**
 * Somebody with five coding agents, as people.test.ts walks them, with the real ones: three of Claude Code and two of
 * Codex on one machine, the first with a key and the others with a (fake) subscription, in a terminal, in a network namespace that has loopback alone.
 */
import { test } from 'node:test';
import { claude, codex } from '../agents/cases.ts';
import { findClients } from '../agents/clients.ts';
import { defineEnclosed } from '../agents/suite.ts';
import { ALIAS, walk } from '../people/person.ts';
import { noTmux } from '../people/screen.ts';
import type { Script } from '../upstream/upstream.ts';

/** A model that mends and checks, and asked to release would push by force. */
const script: Script = (request) => {
  const client = request.url.includes('/messages') ? claude : codex;
  const usage = { input: 900, output: 120 };
  if (client === codex) return { text: 'All tests pass.', usage };
  if (!JSON.stringify(request.json).includes('release it')) return { text: 'The tests are mended.', usage };
  return client.results(request) === 0
    ? { tools: [client.shell('git push --force')], usage }
    : { text: 'Nothing was pushed.', usage };
};

const CLAUDE = 'claude -p --allowedTools Bash --';
const CODEX = 'codex exec --skip-git-repo-check --sandbox workspace-write';

defineEnclosed('five real agents', () => {
  test('somebody with five real coding agents sees who runs, what each cost, and stops one before it pushes', {
    skip: noTmux,
  }, async () => {
    const [, subscription] = codex.logins;
    const person = {
      path: findClients()?.path ?? [],
      env: { ...claude.logins[0].env, ...subscription?.env },
      files: subscription?.files ?? {},
      script,
    };
    await walk(person, async ({ type, press, check }) => {
      await type('npm start -- --no-tour');
      await type(ALIAS);
      await type('mkdir ~/project && cd ~/project');
      await type(`mezz run --count 3 --name fix -- ${CLAUDE} 'mend the tests'`);
      await type(`mezz run --count 2 --name check -- ${CODEX} 'run the tests' 2>/dev/null`);
      await type('mezz ps --all');
      await type('mezz bill');
      await type(`mezz run --detach --name ship -- ${CLAUDE} 'release it'`);
      await type('until mezz inbox --quiet | grep -q .; do sleep 0.1; done; mezz inbox');
      await type('mezz why ship');
      await type('mezz deny $(mezz inbox --quiet)');
      await type('until mezz ps --all | grep -q "ship.*exited"; do sleep 0.1; done; mezz logs ship');
      await type('mezz down');
      await press('C-l');
      check('five-real-agents');
    });
  });
});
