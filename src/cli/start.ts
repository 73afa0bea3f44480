import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../sdk/client.ts';
import { kernelUnreachable } from '../sdk/failure.ts';
import { kernelLogPath, readFailure } from './kernel-log.ts';
import { LIMITS } from './limits.ts';
import type { Session } from './session.ts';

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
  const { MEZZ_AGENT: _agent, MEZZ_KEY: _key, MEZZ_HOOK_URL: _hook, MEZZ_URL: _url, ...env } = session.env;
  const [node = process.execPath, ...mezz] = session.mezz;
  const child = spawn(node, [...mezz, 'up', '--foreground', '--log-file', logPath, ...options], {
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
  const why = readFailure(logPath, logFrom);
  throw kernelUnreachable(
    `The kernel did not start: ${why.message || (ended ?? `no answer in ${LIMITS.kernelStartMs.value / 1000} s`)}`,
    why.remedy ?? `mezz logs --kernel, or start it in this terminal: mezz up --foreground`,
  );
}
