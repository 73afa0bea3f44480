import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../limits.ts';
import { Family } from './family.ts';

/** What a program and all it starts carry in their environment: the agent's pid first, then chance. */
export const newMark = (pid: number): string => `${pid}-${randomBytes(8).toString('hex')}`;

/** Processes whose environment at their start carries the mark (Linux; elsewhere none are found). */
export function findMarked(mark: string, root = '/proc'): number[] {
  const wanted = `MEZZ_AGENT=${mark}`;
  let names: string[];
  try {
    names = readdirSync(root);
  } catch {
    return [];
  }
  return names
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        return readFileSync(`${root}/${name}/environ`, 'latin1').split('\0').includes(wanted);
      } catch {
        // Another user's process, or one that has ended since.
        return false;
      }
    })
    .map(Number);
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended by itself.
    }
  }
}

/** The mark a running program was started with; undefined where the system does not show it (only Linux does). */
export function readMark(osPid: number): string | undefined {
  try {
    const environment = readFileSync(`/proc/${osPid}/environ`, 'latin1').split('\0');
    return environment.find((entry) => entry.startsWith('MEZZ_AGENT='))?.slice('MEZZ_AGENT='.length);
  } catch {
    return undefined;
  }
}

/** Ends what an agent left running: SIGTERM, and after `reapMs` SIGKILL. Returns how many there were. */
export async function reapLeftovers(mark: string, family = new Family()): Promise<number> {
  const find = () => [...new Set([...findMarked(mark), ...family.left()])];
  let left = find();
  const count = left.length;
  signalAll(left, 'SIGTERM');
  const until = performance.now() + LIMITS.reapMs.value;
  while (left.length > 0 && performance.now() < until) {
    await sleep(LIMITS.kernelPollMs.value);
    left = find();
  }
  signalAll(left, 'SIGKILL');
  return count;
}
