/** Salted commitments: an entry proves what a body was only while its owner's salt exists. */
import { hmacUnder } from '../base/hash.ts';
import type { Random } from '../base/random.ts';
import { LIMITS } from './limits.ts';

export const newSalt = (random: Random): Uint8Array => random.bytes(LIMITS.saltBytes.value);

export type Commit = (bytes: Uint8Array | string) => string;

/** Makes commitments under the salt: HMAC-SHA-256 of the bytes, 64 hex digits. */
export const commitUnder = (salt: Uint8Array): Commit => hmacUnder(salt);
