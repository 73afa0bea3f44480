/** What a first start shows, and that it is true: the tour, and each line that is printed to be typed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import test, { afterEach, beforeEach, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MEZZ } from '../src/cli/fixture.test.ts';
import { STORY } from '../src/cli/tour/story.ts';
import { noTerminal, openShell, PROMPT } from './typing.ts';

describe('a first start', () => {
  let directory: string;
  let home: string;
  let env: Record<string, string | undefined>;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'mezz-start-'));
    home = join(directory, 'home');
    for (const name of ['home', 'tmp', 'bin']) mkdirSync(join(directory, name));
    writeFileSync(join(home, 'mezz.yaml'), 'port: 0\n');
    const { ANTHROPIC_API_KEY: _a, OPENAI_API_KEY: _o, ...rest } = process.env;
    env = { ...rest, MEZZ_HOME: home, TMPDIR: join(directory, 'tmp'), PATH: path() };
  });
  afterEach(async () => {
    await run('down').ended;
    rmSync(directory, { recursive: true, force: true });
  });

  /** The programs of this test alone, a shell's own, and the Node that runs it. */
  const path = () =>
    [join(directory, 'bin'), dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter);
  function run(...words: string[]) {
    const [node = '', ...mezz] = MEZZ;
    const child = spawn(node, [...mezz, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const seen = { text: '' };
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        seen.text += chunk;
      });
    const ended = once(child, 'close').then(([code]) => code as number);
    const until = async (pattern: RegExp) => {
      while (!pattern.test(seen.text)) await sleep(20);
    };
    return { child, seen, ended, until };
  }
  const install = (name: string) =>
    writeFileSync(join(directory, 'bin', name), '#!/bin/sh\necho "$0 is here"\n', { mode: 0o755 });
  const left = () => readdirSync(join(directory, 'tmp')).filter((name) => name.startsWith('mezz-checklist-'));

  test('each line that it prints can be typed, in this order, and works', { skip: noTerminal }, async () => {
    for (const name of ['claude', 'codex', 'opencode', 'gemini']) install(name);
    const { seen, ended } = run('start');
    assert.equal(await ended, 0);
    const [, steps = ''] = seen.text.split('Type next:\n');
    const printed = [...steps.matchAll(/^ {2}(\S.*?)(?: {2,}\S.*)?$/gm)].map(([, line]) => line as string);
    // An engine may run on the machine that the test runs on.
    const lines = printed.filter((line) => !line.startsWith('mezz backend add '));
    assert.deepEqual(
      lines.map((line) => line.replace(/=.*/, '')),
      [
        'alias mezz',
        'mezz run -- claude',
        'mezz run -- codex',
        'mezz run -- opencode',
        'mezz sh',
        'eval "$(mezz env)"',
        'mezz ps',
        'mezz bill',
        'mezz checklist',
        'mezz down',
      ],
    );
    const shell = openShell(env);
    try {
      shell.size(40, 200);
      await shell.begin();
      for (const line of lines) {
        // The one program that stays until it is told.
        if (line === 'mezz sh') {
          await shell.say(line, '> ');
          shell.press('\u0004');
          await shell.see(PROMPT);
        } else await shell.say(line, PROMPT);
        const code = /got (\d+)/.exec(await shell.say('echo "got $?"', `got \\d+\r\n${PROMPT}`))?.[1];
        assert.equal(code, '0', line);
      }
    } finally {
      shell.close();
    }
  });

  test('the tour tells what it just tried, with the calls that show it, and what is not built', async () => {
    const { seen, ended } = run('tour');
    assert.equal(await ended, 0);
    assert.match(seen.text, /"lab", which is no model/);
    for (const id of ['1a', '1b', '1c', '2b', '3a', '3b', '4a', '4b', '4c', 'engine'])
      assert.match(seen.text, new RegExp(`c[0-9a-z]{16}( c[0-9a-z]{16})? \\(${id}\\)`), seen.text);
    const scenes = STORY.flatMap((chapter) => chapter.scenes);
    assert.equal(seen.text.match(/^ {4}(✔|✘|not built yet:) /gm)?.length, scenes.length, seen.text);
    for (const { told } of scenes) assert.ok(seen.text.includes(told), told);
    assert.match(
      seen.text,
      /orchestration layer on it, not an\s+operating system[\s\S]*Found here:[\s\S]*Type next:/,
    );
    assert.deepEqual(left(), []);
  });

  test('mezz serves before the tour; a key ends it, and a second start gives none', {
    skip: noTerminal,
  }, async () => {
    const shell = openShell(env);
    try {
      shell.size(60, 120);
      await shell.begin(MEZZ);
      const before = await shell.say('mezz start', 'Any key ends');
      assert.match(before, /is up at http:\/\/127\.0\.0\.1:\d+/);
      await shell.see('at once');
      shell.press('x');
      assert.match(await shell.see(`Type next:[\\s\\S]*\n${PROMPT}`), /The tour is ended\./);
      assert.doesNotMatch(await shell.say('mezz start', `Type next:[\\s\\S]*\n${PROMPT}`), /Any key/);
      assert.deepEqual(left(), []);
    } finally {
      shell.close();
    }
  });

  test('without a terminal, or with --no-tour, there is none', async () => {
    const { seen, ended } = run('start', '--no-tour');
    assert.equal(await ended, 0);
    assert.doesNotMatch(seen.text, /lab", which is no model: what is shown/);
    const again = run('start', '--json');
    assert.equal(await again.ended, 0);
    assert.deepEqual(JSON.parse(again.seen.text).found.keys, []);
  });

  test('--foreground serves in this process, says the same, and ends with it', async () => {
    const { child, seen, ended, until } = run('start', '--foreground');
    await until(/Type next:[\s\S]*mezz down/);
    assert.match(seen.text, /mezz is up: http:\/\/127\.0\.0\.1:\d+[\s\S]*Found here:/);
    child.kill('SIGINT');
    assert.equal(await ended, 0);
  });

  test('what the experiments started is gone when they are told to end', async () => {
    const { child, ended, until } = run('checklist', '1');
    await until(/1a/);
    child.kill('SIGINT');
    assert.equal(await ended, 130);
    assert.deepEqual(left(), []);
  });
});
