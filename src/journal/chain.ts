/** The ids of a conversation: exact (every byte of its messages) and canonical ("the same conversation"). */
import { sha256Hex } from '../base/hash.ts';
import type { Range } from '../base/model.ts';
import { LIMITS } from './limits.ts';

export interface ChainLink {
  /** H(previous exact id || H(bytes)), hex: the inner hash is also the name of the blob. */
  readonly exact: string;
  /** H(previous canonical id || H(canonical text)), hex. */
  readonly canonical: string;
}

/** The id before the first message. */
export const CHAIN_START: ChainLink = { exact: '', canonical: '' };

/** Computes chains; a message seen before (same bytes) is hashed but not parsed again. */
export class ChainReader {
  #canonical: (bytes: Uint8Array) => string;
  /** Plain hash of a message's bytes -> hash of its canonical text, least recently used first. */
  #known = new Map<string, string>();

  /** `canonical` gives one message's canonical text, as its dialect defines it. */
  constructor(canonical: (bytes: Uint8Array) => string) {
    this.#canonical = canonical;
  }

  /** One link per message, in order: the last one is the head of this request. */
  read(body: Uint8Array, messages: readonly Range[]): ChainLink[] {
    let { exact, canonical } = CHAIN_START;
    return messages.map((range) => {
      const bytes = body.subarray(range.start, range.end);
      const hash = sha256Hex(bytes);
      exact = sha256Hex(exact + hash);
      canonical = sha256Hex(canonical + this.#canonicalHash(hash, bytes));
      return { exact, canonical };
    });
  }

  #canonicalHash(hash: string, bytes: Uint8Array): string {
    const found = this.#known.get(hash);
    const value = found ?? sha256Hex(this.#canonical(bytes));
    this.#known.delete(hash);
    this.#known.set(hash, value);
    if (this.#known.size > LIMITS.canonicalCache.value) {
      const oldest = this.#known.keys().next();
      if (!oldest.done) this.#known.delete(oldest.value);
    }
    return value;
  }
}
