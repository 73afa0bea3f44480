/** `mezz top` as a person uses it: a real kernel, a real pseudo-terminal, real keys; and that the terminal survives. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, afterEach, before, describe } from 'node:test';
import { MEZZ, runHere, startMezz } from '../src/cli/fixture.test.ts';
import { send, startKernel, type TestKernel } from './kernel.ts';
import { noTerminal, openShell, PROMPT, type Shell } from './typing.ts';

/** For mezz alone: the shell's own line editor would write more than it is asked to. */
const XTERM = 'TERM=xterm-256color';
const ENTER_SCREEN = '\\u001b\\[\\?1049h';
const LEAVE_SCREEN = '\\u001b\\[\\?1049l';
const SHOW_CURSOR = '\u001b[?25h';
const settings = (text: string): string | undefined =>
  /(?:speed|-icanon|icanon)[\s\S]*?iexten/.exec(text)?.[0];

describe('mezz top', { skip: noTerminal }, () => {
  let kernel: TestKernel;
  let shell: Shell;
  before(async () => {
    kernel = await startKernel();
  });
  after(() => kernel.close());
  afterEach(() => shell?.close());

  const open = async () => {
    shell = openShell({ MEZZ_HOME: kernel.stateDir });
    shell.size(24, 80);
    await shell.begin(MEZZ);
  };
  /** Until the second frame: the first is drawn before keys are read. */
  const start = (line = `${XTERM} mezz top --watch 0.2`) =>
    shell.say(line, `${ENTER_SCREEN}[\\s\\S]*q quit[\\s\\S]*q quit`);
  const stateOf = async (name: string) => {
    const { agent } = await kernel.control.call('agent.show', { agent: name });
    return agent.state;
  };

  test('shows who waits for you first, and a key does what its help says', async () => {
    const { origin, token } = await kernel.agent('pusher');
    await kernel.agent('other');
    const hook = {
      hook_event_name: 'PreToolUse',
      session_id: 's1',
      tool_name: 'Bash',
      tool_use_id: 't1',
      tool_input: { command: 'git push --force' },
    };
    const answer = send(`${origin}/hooks/claude`, JSON.stringify(hook), { 'x-mezz-key': token });
    while ((await kernel.control.call('inbox', {})).approvals.length === 0);
    await open();
    const screen = await start();
    assert.match(screen, /pusher[\s\S]*for you[\s\S]*other/);
    assert.match(screen, /pusher asks: tool\.call claude-code\/Bash \{"command":"git push --force"\}/);
    shell.press('a');
    await shell.see('Permit once: [^?]*git push --force[^?]*\\? \\[y/N\\]');
    assert.equal((await kernel.control.call('inbox', {})).approvals.length, 1, 'a question is no yes');
    shell.press('y');
    await shell.see('is approved');
    assert.equal((await answer).status, 200);

    shell.press('s');
    shell.press('\u001b[B');
    shell.press('p');
    await shell.see('stops before its next call');
    assert.equal(await stateOf('other'), 'paused');
    shell.press('p');
    await shell.see('goes on');
    assert.equal(await stateOf('other'), 'ready');
    shell.press('n');
    await shell.see('nice of other');
    shell.press('-7\r');
    await shell.see('has nice -7');
    shell.press('k');
    await shell.see('End other \\(pid 2\\)');
    shell.press('n');
    await shell.see('nothing was done');
    assert.equal(await stateOf('other'), 'ready');
    shell.press('k');
    await shell.see('End other');
    shell.press('y');
    await shell.see('other is ended');
    assert.equal(await stateOf('other'), 'stopped');
    shell.press('w');
    await shell.see('any key goes back');
    shell.press('x');
    await shell.see('q quit');
    shell.press('q');
    await shell.see(LEAVE_SCREEN);
    await shell.see(PROMPT);
  });

  test('outlives its kernel: it says so, asks again, and goes on with the new one', async () => {
    await kernel.agent('stayer');
    await open();
    await start();
    await kernel.restart(() => shell.see('Asked again every 200ms'));
    await shell.see('a new kernel since');
    shell.press('q');
    await shell.see(PROMPT);
  });

  test('whatever ends it, the terminal is as before', async () => {
    await open();
    const before = settings(await shell.say('stty -a', `iexten[\\s\\S]*${PROMPT}`));
    assert.ok(before);
    const pidFile = join(kernel.stateDir, 'top.pid');
    const words = MEZZ.map((word) => `'${word}'`).join(' ');
    const kill = (signal: NodeJS.Signals) => process.kill(Number(readFileSync(pidFile, 'utf8')), signal);
    const ends: [string, () => unknown][] = [
      ['0', () => shell.press('q')],
      ['0', () => shell.press('\u0003')],
      ['143', () => kill('SIGTERM')],
      ['129', () => kill('SIGHUP')],
    ];
    for (const [code, end] of ends) {
      await start(`(echo $BASHPID > '${pidFile}'; export ${XTERM}; exec ${words} top --watch 0.2)`);
      end();
      const seen = await shell.see(LEAVE_SCREEN);
      const rest = await shell.see(PROMPT);
      assert.ok(`${seen}${rest}`.includes(SHOW_CURSOR), 'the cursor is back');
      assert.match(await shell.say('echo "got $?"', `got \\d+\r\n${PROMPT}`), new RegExp(`got ${code}\r`));
      assert.equal(settings(await shell.say('stty -a', `iexten[\\s\\S]*${PROMPT}`)), before);
    }
  });

  test('NO_COLOR: no colour and no other looks, and the chosen row is marked all the same', async () => {
    await open();
    const screen = await start(`NO_COLOR=1 ${XTERM} mezz top --watch 0.2`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: looks are control sequences that end in m
    assert.doesNotMatch(screen, /\u001b\[[\d;]*m/);
    assert.match(screen, /> +\d+ /);
    shell.press('q');
    await shell.see(PROMPT);
  });

  test('without a terminal, and when told so, one sheet is printed', async () => {
    const piped = await runHere(kernel.stateDir, 'top');
    assert.match(piped.out, /^mezz \S+, up .*\nper hour .*\n\nPID +NAME +STATE/);
    const sheet = JSON.parse((await runHere(kernel.stateDir, 'top', '--json')).out);
    assert.equal(sheet.schema, 'mezz.top/1');
    await open();
    const once = await shell.say(`${XTERM} mezz top --once`, `PID[\\s\\S]*${PROMPT}`);
    assert.doesNotMatch(once, new RegExp(ENTER_SCREEN));
  });

  test('no other command loads the screen, and one sheet does not either', async () => {
    const listing =
      "import { registerHooks } from 'node:module'; const seen = [];" +
      'registerHooks({ load(url, context, next) { seen.push(url); return next(url, context); } });' +
      "process.on('exit', () => process.stderr.write(seen.join('\\n')));";
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(listing)}`;
    for (const line of ['top --once', 'ps', 'free', 'help']) {
      const { code, err } = await startMezz(kernel.stateDir, line.split(' '), { NODE_OPTIONS }).ended;
      assert.equal(code, 0, err);
      assert.match(err, /src\/cli\/main\.ts/);
      assert.doesNotMatch(err, /node_modules\/(?:ink|react)/, line);
    }
  });
});
