/** How much room the disk of the state directory has, and what follows from too little of it. */
import { statfsSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { LIMITS } from './limits.ts';

/** Bytes that a user may still write on the disk of a directory; 0 when the directory cannot be asked. */
export function diskFree(directory: string): number {
  try {
    const disk = statfsSync(directory);
    return disk.bavail * disk.bsize;
  } catch {
    return 0;
  }
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** What an operator is told while there is still room, or undefined. */
export function lowDisk(freeBytes: number): string | undefined {
  if (freeBytes >= LIMITS.lowDiskBytes.value) return undefined;
  return `only ${megabytes(freeBytes)} are free on the disk of the state directory; below ${megabytes(LIMITS.fullDiskBytes.value)} new calls are refused`;
}

/**
 * Refuses new calls on an almost full disk: what is left of it is for the ENDs of calls that run. The disk is looked at
 * once a second at most.
 */
export function diskGuard(free: () => number, clock: Clock): () => Refusal | undefined {
  let lookedAt = Number.NEGATIVE_INFINITY;
  let left = Number.POSITIVE_INFINITY;
  return () => {
    const now = clock.now();
    if (now - lookedAt >= LIMITS.diskLookMs.value) {
      lookedAt = now;
      left = free();
    }
    if (left >= LIMITS.fullDiskBytes.value) return undefined;
    return refusal('store_failed', `The disk is almost full: ${megabytes(left)} are free.`, {
      rule: 'limit:drivers.fullDiskBytes',
      remedy: 'free space, or mezz gc; mezz du shows what takes it',
    });
  };
}
