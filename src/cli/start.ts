import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../sdk/client.ts';
import { kernelUnreachable } from '../sdk/failure.ts';
import { LIMITS } from './limits.ts';
import type { Session } from './session.ts';

export const kernelLogPath = (stateDir: string): string => join(stateDir, 'kernel.log');

/** What the log says since `from`, at most its last lines: the reason why a kernel did not come up. */
function logSince(path: string, from: number): string {
  try {
    const text = readFileSync(path).subarray(from).toString('utf8').trim();
    return text.split('\n').slice(-12).join('\n');
  } catch {
    return '';
  }
}

/**
 * Makes sure a kernel runs: answers its status, and whether this call started it. The kernel gets a session of its
 * own, so that nothing typed in this terminal reaches it, and none of the marks of an agent that may be asking.
 */
export async function ensureKernel(
  session: Session,
  options: readonly string[] = [],
): Promise<{ status: Answer<'status'>; started: boolean }> {
  if (await session.control.isUp())
    return { status: await session.control.call('status', {}), started: false };
  mkdirSync(session.stateDir, { recursive: true, mode: 0o700 });
  const logPath = kernelLogPath(session.stateDir);
  const log = openSync(logPath, 'a', 0o600);
  const logFrom = statSync(logPath).size;
  const { MEZZ_AGENT: _agent, MEZZ_KEY: _key, MEZZ_HOOK_URL: _hook, ...env } = session.env;
  const [node = process.execPath, ...mezz] = session.mezz;
  const child = spawn(node, [...mezz, 'up', '--foreground', ...options], {
    cwd: session.cwd,
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...env, MEZZ_HOME: session.stateDir },
  });
  closeSync(log);
  let ended: string | undefined;
  child.on('error', (error) => {
    ended = error.message;
  });
  child.on('exit', (code, signal) => {
    ended = `it ended at once (${signal ?? `exit ${code}`})`;
  });
  const until = performance.now() + LIMITS.kernelStartMs.value;
  while (performance.now() < until) {
    // Asked before the end is looked at: another command may have started the kernel that won the lock.
    if (await session.control.isUp()) {
      child.unref();
      return { status: await session.control.call('status', {}), started: ended === undefined };
    }
    if (ended !== undefined) break;
    await sleep(LIMITS.kernelPollMs.value);
  }
  child.unref();
  const why = logSince(logPath, logFrom);
  throw kernelUnreachable(
    `The kernel did not start: ${ended ?? `no answer in ${LIMITS.kernelStartMs.value / 1000} s`}.${why ? `\n${why}` : ''}`,
    `read ${logPath}, or start it in this terminal: mezz up --foreground`,
  );
}
