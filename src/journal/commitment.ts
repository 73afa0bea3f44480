/** Salted commitments: an entry proves what a body was only while its owner's salt exists. */
import { hmacSha256 } from '../base/hash.ts';
import type { Random } from '../base/random.ts';
import { LIMITS } from './limits.ts';

export const newSalt = (random: Random): Uint8Array => random.bytes(LIMITS.saltBytes.value);

/** HMAC-SHA-256 of the bytes under the salt, 64 hex digits. */
export const commitmentOf = (salt: Uint8Array, bytes: Uint8Array | string): string =>
  hmacSha256(salt, bytes).toString('hex');
