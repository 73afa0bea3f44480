import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageFailure } from '../exit.ts';
import type { Session } from '../session.ts';

/** What a detached run tells the command that started it, over their channel, once its agents are open. */
export interface Detached {
  readonly osPid: number;
  readonly agents: readonly { readonly pid: number; readonly name: string }[];
}

/** Set for the detached copy alone, and not handed on to the program it runs. */
const MARK = 'MEZZ_DETACHED';

/** In a detached copy: reports its agents and lets go of the command that started it. Elsewhere: nothing. */
export function reportDetached(session: Session, agents: Detached['agents']): void {
  if (!session.env[MARK] || !process.send) return;
  const report: Detached = { osPid: process.pid, agents };
  process.send(report, () => process.disconnect?.());
}

export function withoutMark(session: Session): Session {
  const { [MARK]: _mark, ...env } = session.env;
  return { ...session, env };
}

/** Starts `mezz run <args>` again in a session of its own; answers when its agents are open. */
export function startDetached(
  session: Session,
  args: readonly string[],
): Promise<Detached & { readonly log: string }> {
  const directory = join(session.stateDir, 'runs');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const stamp = new Date(session.now()).toISOString().replaceAll(/[:.]/g, '-');
  const log = join(directory, `${stamp}-${randomBytes(3).toString('hex')}.log`);
  const file = openSync(log, 'a', 0o600);
  const [node = process.execPath, ...mezz] = session.mezz;
  const child = spawn(node, [...mezz, 'run', ...args], {
    cwd: session.cwd,
    detached: true,
    stdio: ['ignore', file, file, 'ipc'],
    env: { ...session.env, MEZZ_HOME: session.stateDir, [MARK]: '1' },
  });
  closeSync(file);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (report) => {
      child.removeAllListeners();
      child.unref();
      resolve({ ...(report as Detached), log });
    });
    child.once('exit', (code) => {
      const why = readFileSync(log, 'utf8').trim();
      reject(new UsageFailure(`The program was not started:\n${why}`, `read ${log}`, code || 1));
    });
  });
}
