import { randomBytes } from 'node:crypto';
import type { Random } from '../base/random.ts';

/** The operating system's randomness, in blocks: ids need a few bytes each. */
export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  unit: () => randomBytes(4).readUInt32LE() / 2 ** 32,
};
