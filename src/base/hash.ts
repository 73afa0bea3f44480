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

/**
 * HMAC-SHA-256 under one key as 64 hex digits: what journal entries carry instead of a plain hash, so that erasing the salt
 * erases the link. By hand (RFC 2104): two one-shot hashes cost a tenth of an Hmac object, and the key is padded once.
 */
export function hmacUnder(key: Uint8Array): (data: Uint8Array | string) => string {
  const short = key.length > BLOCK ? sha256(key) : key;
  const inner = padded(short, 0x36);
  const outer = Buffer.concat([padded(short, 0x5c), Buffer.alloc(32)]);
  return (data) => {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    outer.write(hash('sha256', Buffer.concat([inner, bytes]), 'latin1'), BLOCK, 'latin1');
    return hash('sha256', outer, 'hex');
  };
}

const BLOCK = 64;

function padded(key: Uint8Array, pad: number): Buffer {
  const block = Buffer.alloc(BLOCK, pad);
  for (let i = 0; i < key.length; i++) block[i] = (key[i] as number) ^ pad;
  return block;
}
