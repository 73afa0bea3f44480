/**
 * Three people and their first minutes: five coding agents on one account, only an API key, neither of them. What they
 * saw is kept in this folder; after a wanted change: MEZZ_KEEP=1 node --test test/people/people.test.ts
 */
import test, { describe } from 'node:test';
import { ALIAS, type Person, walk } from './person.ts';
import { noTmux } from './screen.ts';

const SHELL = /^>$/;

describe('in a real terminal', { skip: noTmux }, () => {
  test('somebody with five coding agents sees who runs, what each cost, and stops one before it pushes', async () => {
    const person: Person = {
      programs: ['claude', 'codex', 'opencode', 'gemini'],
      script: () => ({ text: 'The tests are mended.', usage: { input: 900, output: 120 } }),
    };
    await walk(person, async ({ type, press, check }) => {
      await type('npm start');
      await type(ALIAS);
      await type(`mezz run --count 5 --name fix -- claude -p 'mend the tests'`);
      await type('mezz ps --all');
      await type('mezz bill');
      await type(`mezz run --detach --name ship -- claude -p 'release it'`);
      await type('until mezz inbox --quiet | grep -q .; do sleep 0.1; done; mezz inbox');
      await type('mezz why ship');
      await type('mezz deny $(mezz inbox --quiet)');
      await type('until mezz ps --all | grep -q "ship.*exited"; do sleep 0.1; done; mezz logs ship');
      await type('mezz freeze --all; mezz run -- claude -p "one more"; mezz thaw --all');
      await type('mezz down');
      await press('C-l');
      check('five-agents');
    });
  });

  test('somebody with only an API key talks to its model, whose tool passes the gate, and sees the bill', async () => {
    const person: Person = {
      env: { ANTHROPIC_API_KEY: 'sk-ant-of-this-person' },
      script: ({ turn }) =>
        turn === 0
          ? {
              text: 'Let me look.',
              tools: [{ name: 'run', args: { command: 'ls examples' } }],
              usage: { input: 400, output: 20 },
            }
          : { text: 'There is one example: sh.', usage: { input: 500, output: 12 } },
    };
    await walk(person, async ({ type, press, see, check }) => {
      await type('npm start', /\S/);
      await see(/Any key ends the tour/);
      await press('q');
      await type(ALIAS);
      await type('mezz sh --name helper', SHELL);
      await type('which examples are there?', SHELL);
      await press('C-d');
      await type('mezz logs helper');
      await type('mezz bill');
      await type('mezz account');
      await type('mezz down');
      check('api-key');
    });
  });

  test('somebody with neither is told what lab is and what is missing, and sees the kernel work', async () => {
    await walk({}, async ({ type, press, check }) => {
      await type('npm start -- --no-tour');
      await type(ALIAS);
      await type('mezz sh --name first', SHELL);
      await type('hello', SHELL);
      await type('@lab call run {"command":"echo $((6 * 7))"}', SHELL);
      await type('@lab call remember {"note":"mezz is here"}', SHELL);
      await type('/help', SHELL);
      await press('C-d');
      await type('mezz logs first');
      await type('mezz trace $(mezz logs first --quiet | tail -1)');
      await type('mezz ps --all');
      await type('mezz down');
      check('neither');
    });
  });
});
