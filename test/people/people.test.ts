/**
 * Three people and their first minutes: five coding agents on one account, only an API key, neither of them. What they
 * saw is kept in this folder; after a wanted change: MEZZ_KEEP=1 node --test test/people/people.test.ts
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import test, { afterEach, beforeEach, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MEZZ } from '../../src/cli/fixture.test.ts';
import { type Script, startUpstream, type Upstream } from '../upstream/upstream.ts';
import { noTmux, openScreen, type Screen, stableText } from './screen.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
const ALIAS = `alias mezz=${join(ROOT, 'bin', 'mezz.js')}`;
const SHELL = /^>$/;

interface Person {
  /** Programs on the PATH. */
  readonly programs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly script?: Script;
}

describe('in a real terminal', { skip: noTmux }, () => {
  let directory: string;
  let upstream: Upstream | undefined;
  let screen: Screen | undefined;
  let env: Record<string, string>;
  beforeEach(() => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), 'mezz-people-')));
  });
  afterEach(async () => {
    const [node = '', ...mezz] = MEZZ;
    spawnSync(node, [...mezz, 'down'], { env });
    screen?.close();
    await upstream?.close();
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  });

  /** A machine with nothing on it but a shell, a Node with npm, and what the person has. */
  async function arrive({ programs = [], env: own = {}, script }: Person): Promise<Screen> {
    const path = (name: string) => join(directory, name);
    for (const name of ['state', 'bin', 'tmp']) mkdirSync(path(name));
    upstream = await startUpstream(script);
    const url = `${upstream.origin}/v1`;
    const settings = [`port: 0`, `backends: { anthropic: { url: '${url}' }, openai: { url: '${url}' } }`, ''];
    writeFileSync(join(path('state'), 'mezz.yaml'), settings.join('\n'));
    for (const name of programs) {
      const line = `exec '${process.execPath}' '${join(ROOT, 'test', 'people', 'agent.js')}' "$@"`;
      writeFileSync(join(path('bin'), name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    }
    env = {
      PATH: [path('bin'), dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter),
      HOME: directory,
      TMPDIR: path('tmp'),
      MEZZ_HOME: path('state'),
      XDG_CACHE_HOME: process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
      npm_config_update_notifier: 'false',
      ...own,
    };
    screen = await openScreen(directory, ROOT, env);
    return screen;
  }

  /** What they saw is what was seen when somebody last looked. */
  function check(name: string): void {
    const file = new URL(`${name}.txt`, import.meta.url);
    const seen = `${stableText(screen?.text() ?? '', { [directory]: '<home>', [ROOT]: '<mezz>' })}\n`;
    if (process.env.MEZZ_KEEP) writeFileSync(file, seen);
    assert.equal(seen, readFileSync(file, 'utf8'));
  }

  test('somebody with five coding agents sees who runs, what each cost, and stops one before it pushes', async () => {
    const { type, press } = await arrive({
      programs: ['claude', 'codex', 'opencode', 'gemini'],
      script: () => ({ text: 'The tests are mended.', usage: { input: 900, output: 120 } }),
    });
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

  test('somebody with only an API key talks to its model, whose tool passes the gate, and sees the bill', async () => {
    const { type, press, see } = await arrive({
      env: { ANTHROPIC_API_KEY: 'sk-ant-of-this-person' },
      script: ({ turn }) =>
        turn === 0
          ? {
              text: 'Let me look.',
              tools: [{ name: 'run', args: { command: 'ls examples' } }],
              usage: { input: 400, output: 20 },
            }
          : { text: 'There is one example: sh.', usage: { input: 500, output: 12 } },
    });
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

  test('somebody with neither is told what lab is and what is missing, and sees the kernel work', async () => {
    const { type, press } = await arrive({});
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
