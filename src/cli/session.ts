import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ControlClient } from '../sdk/client.ts';
import { type Environment, stateDirectory } from '../sdk/home.ts';
import { Terminal } from './terminal.ts';

/** What a command works with. One a process; tests make their own. */
export interface Session {
  readonly env: Environment;
  readonly cwd: string;
  readonly stateDir: string;
  readonly control: ControlClient;
  readonly terminal: Terminal;
  /** The arguments that run this command line again: a Node and bin/mezz.js. */
  readonly mezz: readonly string[];
  now(): number;
  /** The exit code; commands set it when the answer is not "done". */
  exit: number;
}

/** bin/mezz.js lies two folders above a source (src/cli) and one above a bundle (dist). */
function commandFile(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  return import.meta.url.endsWith('.ts')
    ? join(here, '..', '..', 'bin', 'mezz.js')
    : join(here, '..', 'bin', 'mezz.js');
}

export function processSession(): Session {
  const stateDir = stateDirectory(process.env);
  return {
    env: process.env,
    cwd: process.cwd(),
    stateDir,
    control: new ControlClient(stateDir),
    terminal: new Terminal(process.stdout, process.stderr, process.env),
    mezz: [process.execPath, commandFile()],
    now: () => Date.now(),
    exit: 0,
  };
}
