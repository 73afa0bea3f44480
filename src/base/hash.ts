import { createHmac, hash } from 'node:crypto';

/** SHA-256 of the bytes, 32 bytes. */
export function sha256(data: Uint8Array | string): Buffer {
  return hash('sha256', data, 'buffer');
}

/** SHA-256 of the bytes as 64 hex digits. */
export function sha256Hex(data: Uint8Array | string): string {
  return hash('sha256', data, 'hex');
}

/** HMAC-SHA-256, 32 bytes: what journal entries carry instead of a plain hash, so that erasing the salt erases the link. */
export function hmacSha256(salt: Uint8Array, data: Uint8Array | string): Buffer {
  return createHmac('sha256', salt).update(data).digest();
}
