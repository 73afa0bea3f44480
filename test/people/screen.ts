/**
 * people/ walks new users through their first minutes in a real terminal (tmux) and keeps what they saw. Invariant:
 * what is typed goes through the keyboard, what is compared came off the screen; only what changes from run to run is
 * replaced, by names. It must not know: anything that the screen does not show.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Why there is no tmux here, or false. */
export const noTmux = spawnSync('tmux', ['-V']).status !== 0 && 'no tmux: nobody can be walked through it';

const PROMPT = 'you$';
const PATIENCE_MS = 90_000;

export interface Screen {
  /** Types a line and waits until a pattern is seen at the end of the screen; by default the shell's prompt. */
  type(line: string, until?: RegExp): Promise<void>;
  /** Presses one key, by tmux's name for it. */
  press(key: string, until?: RegExp): Promise<void>;
  /** Waits for a pattern anywhere on the screen. */
  see(pattern: RegExp): Promise<void>;
  /** All that was seen, from the first line on. */
  text(): string;
  close(): void;
}

/** A terminal of 200 columns, where no table is cut, with a shell of this environment in it; `directory` is for tmux itself. */
export async function openScreen(
  directory: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Screen> {
  const tmux = (...words: string[]) => {
    const done = spawnSync('tmux', ['-S', join(directory, 'tmux'), '-f', '/dev/null', ...words], {
      env: { ...env, LC_ALL: 'C.UTF-8' },
      encoding: 'utf8',
    });
    assert.equal(done.status, 0, `tmux ${words.join(' ')}: ${done.stderr}`);
    return done.stdout;
  };
  const text = () => tmux('capture-pane', '-p', '-J', '-S', '-').trimEnd();
  const wait = async (seen: () => boolean) => {
    const end = performance.now() + PATIENCE_MS;
    while (!seen()) {
      assert.ok(performance.now() < end, `never seen; the screen shows:\n${text()}`);
      await sleep(100);
    }
  };
  const atEnd = (pattern: RegExp) => () => pattern.test(text().split('\n').at(-1) ?? '');
  const prompted = new RegExp(`^${PROMPT.replace('$', '\\$')}$`);
  tmux('new-session', '-d', '-x', '200', '-y', '50', '-c', cwd, 'bash', '--norc', '--noprofile');
  tmux('set-option', '-g', 'history-limit', '5000');
  tmux('send-keys', `PS1='${PROMPT} '; clear; tput E3`, 'Enter');
  await wait(atEnd(prompted));
  const send = async (keys: readonly string[], until: RegExp) => {
    const before = text();
    tmux('send-keys', ...keys);
    await wait(() => text() !== before && atEnd(until)());
  };
  return {
    async type(line, until = prompted) {
      tmux('send-keys', '-l', line);
      await send(['Enter'], until);
    },
    press: (key, until = prompted) => send([key], until),
    see: (pattern) => wait(() => pattern.test(text())),
    text,
    close: () => tmux('kill-server'),
  };
}

/** What changes from run to run, and what stands for it. `places` are directories of this run. */
export function stableText(text: string, places: Readonly<Record<string, string>>): string {
  const placed = Object.entries(places).reduce((sum, [place, name]) => sum.replaceAll(place, name), text);
  return (
    placed
      .replaceAll(/\b([cq])[0-9a-z]{16}\b/g, '<$1…>')
      .replaceAll(/(127\.0\.0\.1:)\d+/g, '$1<port>')
      .replaceAll(/\b(Linux|macOS \(Darwin\)) [^,]+, \w+/g, '<system>')
      .replaceAll(/\b\d\d:\d\d:\d\d\b/g, '<time>')
      .replaceAll(/\b\d{4}-\d\d-\d\d\b/g, '<day>')
      .replaceAll(/\b\d+(\.\d+)? ?(ms|s|m|h)\b/g, '<while>')
      .replaceAll(/(?<!(?:seen|held|hooked) )\b\d+(\.\d+)?k?\/\d+(\.\d+)?k?\b/g, '<tokens>')
      .replaceAll(/\bmezz@\d+\.\d+\.\d+|\bmezz \d+\.\d+\.\d+/g, 'mezz <version>')
      .replaceAll(/\b\d+(\.\d+)? %/g, '<share>')
      .replaceAll(/^ +(?=AT |\+<while>)/gm, '')
      .replaceAll(/[\w-]+-[0-9a-f]{6}\.log\b/g, '<run>.log')
      // Of the machine that the test runs on.
      .replaceAll(/^ {2}engines .*/gm, '  engines <of this machine>')
      .replaceAll(/^ {2}mezz backend add .*\n/gm, '')
      // Only where the machine is slow.
      .replaceAll(/^ .*waits at the gate.*\n/gm, '')
      // Claude Codes that start at once may find their settings while another writes them, and say so.
      .replaceAll(/^\[[\w-]+\]( (Claude configuration file|A backup file|You can manually) .*)?\n/gm, '')
      // Programs that run at once end in any order.
      .replaceAll(/(^\[[\w-]+\] .*\n)+/gm, (lines) => `${lines.trimEnd().split('\n').sort().join('\n')}\n`)
      // How far the tour was when the key was pressed.
      .replaceAll(/(again\.\n)[\s\S]*?(\nThe tour is ended)/g, '$1\n<the tour, until the key>\n$2')
      // What an experiment saw belongs to the checklist's own tests.
      .replaceAll(/^ {4}(✔|✘|\?|not built yet:) .*(?:\n {6}.*)*/gm, '    $1 <what was seen, and the calls>')
      .split('\n')
      .map((line) => line.replaceAll(/(?<=\S) {2,}/g, '  ').trimEnd())
      .join('\n')
  );
}
