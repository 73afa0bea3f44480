/** A person at a keyboard: a shell in a pseudo-terminal of its own, whose other end test/terminal.py holds. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';

const missing = ['python3', 'bash'].filter((name) => spawnSync(name, ['--version']).status !== 0);
/** Why there is no terminal here, or false. */
export const noTerminal =
  missing.length > 0 && `no ${missing.join(' and no ')}: nothing to hold a terminal with`;

/** The shell's prompt; what is typed is echoed, so no command may hold it. */
export const PROMPT = '%~ ';

export interface Shell {
  /** Waits for a pattern, a minute where nothing is said; gives everything seen since the one before. */
  see(until: string, seconds?: number): Promise<string>;
  press(keys: string): void;
  size(rows: number, columns: number): void;
  /** Types a line and gives what is seen until a pattern. */
  say(line: string, until: string): Promise<string>;
  /** Sets the prompt, and makes `mezz` this command where one is given. */
  begin(mezz?: readonly string[]): Promise<void>;
  close(): void;
}

export function openShell(env: Readonly<Record<string, string | undefined>>): Shell {
  const program = new URL('terminal.py', import.meta.url).pathname;
  const child = spawn('python3', [program, 'bash', '--norc', '--noprofile', '-i'], {
    env: { ...process.env, ...env, TERM: 'dumb', BASH_SILENCE_DEPRECATION_WARNING: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const put = (step: object) => child.stdin.write(`${JSON.stringify(step)}\n`);
  const see = async (until: string, seconds = 60): Promise<string> => {
    put({ until, seconds });
    const answer = await lines.next();
    const seen: unknown = JSON.parse(answer.value ?? 'null');
    assert.equal(typeof seen, 'string', `never seen: ${JSON.stringify(until)}, but ${answer.value}`);
    return seen as string;
  };
  const say = (line: string, until: string) => {
    put({ type: `${line}\r` });
    return see(until);
  };
  return {
    see,
    say,
    press: (keys) => put({ type: keys }),
    size: (rows, columns) => put({ size: [rows, columns] }),
    async begin(mezz) {
      await see('[#$] ');
      // Quoted, so that its echo is not taken for it.
      await say(`PS1='%''~ '`, `\n${PROMPT}`);
      if (mezz) await say(`mezz() { ${mezz.map((word) => `'${word}'`).join(' ')} "$@"; }`, `\n${PROMPT}`);
    },
    close() {
      child.stdin.end();
      child.kill('SIGKILL');
    },
  };
}
