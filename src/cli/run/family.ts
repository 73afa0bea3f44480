import { readdirSync, readFileSync } from 'node:fs';

/**
 * The 22nd field of /proc/<pid>/stat: with it, a pid cannot be mistaken for a later process of the same number.
 * Undefined for one that has ended, whether or not it was waited for.
 */
export function startTicks(osPid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${osPid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[19]);
    return fields[0] !== 'Z' && Number.isSafeInteger(ticks) ? ticks : undefined;
  } catch {
    return undefined;
  }
}

/** This process looks after an agent until its program runs: when it is gone, so is the agent. */
export function selfAsRunner(): { osPid: number; startTicks?: number } {
  const ticks = startTicks(process.pid);
  return { osPid: process.pid, ...(ticks === undefined ? {} : { startTicks: ticks }) };
}

function childrenOf(osPid: number): number[] {
  try {
    return readdirSync(`/proc/${osPid}/task`).flatMap((task) =>
      readFileSync(`/proc/${osPid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    // It has ended since, or this system has no /proc.
    return [];
  }
}

/**
 * The processes below a program, as seen in looks at it while it runs (Linux; elsewhere none). Most are found at the
 * end by the mark in their environment; those that were started with another environment are found here.
 */
export class Family {
  readonly #seen = new Map<number, number>();

  look(root: number): void {
    const below = childrenOf(root);
    for (const osPid of below) {
      const start = startTicks(osPid);
      if (start !== undefined) this.#seen.set(osPid, start);
      below.push(...childrenOf(osPid));
    }
  }

  /** Those of them that still run. */
  left(): number[] {
    for (const [osPid, start] of this.#seen) if (startTicks(osPid) !== start) this.#seen.delete(osPid);
    return [...this.#seen.keys()];
  }
}
