/** The machine's processes: whether an agent's program is still there, and its end when an operator kills the agent. */
import { readFileSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import type { Processes } from '../base/ports.ts';
import { LIMITS } from './limits.ts';

/** Field 22 of /proc/<pid>/stat, and whether the process has ended but was not waited for; undefined without one. */
function readStat(osPid: number): { readonly start: number; readonly ended: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${osPid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { start: Number(fields[19]), ended: fields[0] === 'Z' || fields[0] === 'X' };
  } catch {
    return undefined;
  }
}

/** Where the system tells no start (macOS), a later process of the same number is taken for the same. */
function exists(osPid: number): boolean {
  try {
    process.kill(osPid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isThere(osPid: number, start: number | null): boolean {
  if (start === null) return exists(osPid);
  const stat = readStat(osPid);
  return stat?.start === start && !stat.ended;
}

function signal(osPid: number, name: NodeJS.Signals): void {
  try {
    process.kill(osPid, name);
  } catch {
    // It ended by itself, or belongs to somebody else.
  }
}

export const newProcesses = (clock: Clock): Processes => ({
  isThere,
  end(osPid, start) {
    if (!isThere(osPid, start)) return;
    signal(osPid, 'SIGTERM');
    clock.after(LIMITS.killGraceMs.value, () => {
      if (isThere(osPid, start)) signal(osPid, 'SIGKILL');
    });
  },
});
