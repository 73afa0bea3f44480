import { createHash, hash } from 'node:crypto';

/** SHA-256 of the bytes, 32 bytes. */
export function sha256(data: Uint8Array | string): Buffer {
  // Through a one-byte string: node makes a Buffer of a digest four times slower than this.
  return Buffer.from(hash('sha256', data, 'latin1'), 'latin1');
}

/** SHA-256 of the bytes as 64 hex digits. */
export function sha256Hex(data: Uint8Array | string): string {
  return hash('sha256', data, 'hex');
}

/** SHA-256 of bytes that come one after the other. */
export class GrowingHash {
  readonly #hash = createHash('sha256');

  add(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  /** Of all that was added so far, as 64 hex digits. */
  hex(): string {
    return this.#hash.copy().digest('hex');
  }
}

/** HMAC-SHA-256, 32 bytes: what journal entries carry instead of a plain hash, so that erasing the salt erases the link. */
export function hmacSha256(salt: Uint8Array, data: Uint8Array | string): Buffer {
  // By hand (RFC 2104): two one-shot hashes cost a tenth of an Hmac object.
  const key = salt.length > BLOCK ? sha256(salt) : salt;
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  const inner = sha256(Buffer.concat([padded(key, 0x36), bytes]));
  return sha256(Buffer.concat([padded(key, 0x5c), inner]));
}

const BLOCK = 64;

function padded(key: Uint8Array, pad: number): Buffer {
  const block = Buffer.alloc(BLOCK, pad);
  for (let i = 0; i < key.length; i++) block[i] = (key[i] as number) ^ pad;
  return block;
}
