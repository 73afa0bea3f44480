import { randomBytes } from 'node:crypto';
import type { Random } from '../base/random.ts';

/** Bytes fetched at once: a call of the operating system costs as much as hundreds of them. */
const BLOCK = 4096;
let block = randomBytes(BLOCK);
let at = 0;

function take(count: number): Uint8Array {
  if (count > BLOCK) return randomBytes(count);
  if (at + count > BLOCK) {
    block = randomBytes(BLOCK);
    at = 0;
  }
  const bytes = Uint8Array.prototype.slice.call(block, at, at + count);
  // What became a secret is in nobody's hands but the caller's.
  block.fill(0, at, at + count);
  at += count;
  return bytes;
}

/** The operating system's randomness, in blocks: ids need a few bytes each. */
export const systemRandom: Random = {
  bytes: take,
  unit: () => Buffer.from(take(4)).readUInt32LE() / 2 ** 32,
};
