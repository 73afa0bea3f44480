/**
 * A program under `mezz run` has the terminal as if mezz were not there: keys, size, job control and exit code, on a
 * real pseudo-terminal with a real shell (test/terminal.py holds its other end).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { after, afterEach, before, beforeEach, describe } from 'node:test';
import { MEZZ } from '../src/cli/fixture.test.ts';
import { startKernel, type TestKernel } from './kernel.ts';
import { noTerminal, openShell, PROMPT, type Shell } from './typing.ts';

describe('the terminal', { skip: noTerminal }, () => {
  let kernel: TestKernel;
  let shell: Shell;
  before(async () => {
    kernel = await startKernel();
  });
  after(() => kernel.close());
  beforeEach(async () => {
    shell = openShell({ MEZZ_HOME: kernel.stateDir });
    shell.size(24, 80);
    await shell.begin(MEZZ);
    await shell.say('stty size', `\\n24 80\r\n${PROMPT}`);
  });
  afterEach(() => shell.close());

  const exitOf = async (signs = PROMPT): Promise<string> =>
    /got (\d+)/.exec(await shell.say('echo "got $?"', `got \\d+\r\n${signs}`))?.[1] ?? '';

  test("is the program's own, with its size, and its exit code comes through", async () => {
    const script = 'test -t 0 && test -t 1 && test -t 2 && stty size; exit 7';
    await shell.say(`mezz run -- sh -c '${script}'`, `\\n24 80\r\n${PROMPT}`);
    assert.equal(await exitOf(), '7');
  });

  test('Ctrl-C reaches the program once, and not mezz', async () => {
    // It counts, and ends with the count when a line is typed: a signal that came twice would show.
    const script =
      'let n = 0; process.on("SIGINT", () => console.log("caught", ++n)); ' +
      'process.stdin.on("data", () => process.exit(10 + n)); console.log("go-on")';
    await shell.say(`mezz run -- '${process.execPath}' -e '${script}'`, 'go-on\r\n');
    for (const count of [1, 2]) {
      shell.press('\u0003');
      await shell.see(`caught ${count}\r\n`);
    }
    await shell.say('end', `end\r\n[^%]*${PROMPT}`);
    assert.equal(await exitOf(), '12');
  });

  test('a program that Ctrl-C ends is 130, as without mezz', async () => {
    await shell.say('mezz run -- sh -c "echo go-on; exec sleep 60"', 'go-on\r\n');
    shell.press('\u0003');
    await shell.see(PROMPT);
    assert.equal(await exitOf(), '130');
  });

  test('Ctrl-Z stops both, fg lets both go on', async () => {
    const script = 'echo go-on; read line; echo "had $line"; exit 3';
    await shell.say(`mezz run --name stopper -- bash -c '${script}'`, 'go-on\r\n');
    shell.press('\u001a');
    await shell.see(`Stopped[^%]*${PROMPT}`);
    const { agent } = await kernel.control.call('agent.show', { agent: 'stopper' });
    if (process.platform === 'linux')
      assert.match(
        readFileSync(`/proc/${agent.osPid}/stat`, 'latin1'),
        /\) T /,
        'the program itself is stopped',
      );
    await shell.say('fg', 'fg\r\n[^\n]*\n');
    await shell.say('words', `had words\r\n${PROMPT}`);
    assert.equal(await exitOf(), '3');
  });

  test('a new size reaches the program', async () => {
    const script =
      'process.stdout.on("resize", () => console.log(process.stdout.rows, process.stdout.columns)); ' +
      'console.log("go-on"); setInterval(() => {}, 1000)';
    await shell.say(`mezz run -- '${process.execPath}' -e '${script}'`, 'go-on\r\n');
    shell.size(30, 101);
    await shell.see('30 101\r\n');
    shell.press('\u0003');
    await shell.see(PROMPT);
  });
});
