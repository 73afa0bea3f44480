/** The ids of a conversation: exact (every byte of its messages) and canonical ("the same conversation"). */
import { GrowingHash, sha256Hex } from '../base/hash.ts';
import type { Range } from '../base/model.ts';
import { Recent } from '../base/recent.ts';
import { LIMITS } from './limits.ts';

export interface ChainLink {
  /** H(previous exact id || H(bytes)), hex. */
  readonly exact: string;
  /** H(previous canonical id || H(canonical text)), hex. */
  readonly canonical: string;
  /** H(bytes), hex: the name of the message's blob. */
  readonly blob: string;
}

/** The id before the first message. */
export const CHAIN_START: ChainLink = { exact: '', canonical: '', blob: '' };

const FEW = 4;
/** The last messages of a request, whose cache marks its client takes away with the next one. */
const RESTLESS = 3;

/** What was read of a conversation before: the hash of all its bytes, and its links. */
interface Prefix {
  readonly hash: string;
  readonly links: readonly ChainLink[];
}

/** A known beginning that this request has too. */
interface Found {
  readonly links: readonly ChainLink[];
  /** Over its bytes. */
  readonly hash: GrowingHash;
}

/**
 * Computes chains. Most requests are an earlier one and a few messages more: what is known of it is found by its end
 * and proven by one hash over its bytes; only what follows is read message by message. A message seen before (same
 * bytes) is hashed but not parsed again.
 */
export class ChainReader {
  #canonical: (bytes: Uint8Array) => string;
  /** Plain hash of a message's bytes -> hash of its canonical text. */
  #known = new Recent<string, string>(LIMITS.canonicalCache.value);
  /** Where a request's messages ended -> what they were. */
  #prefixes = new Recent<number, Prefix>(LIMITS.knownPrefixes.value);

  /** `canonical` gives one message's canonical text, as its dialect defines it. */
  constructor(canonical: (bytes: Uint8Array) => string) {
    this.#canonical = canonical;
  }

  /** One link per message, in order: the last one is the head of this request. */
  read(body: Uint8Array, messages: readonly Range[]): ChainLink[] {
    const found = this.#takePrefix(body, messages);
    const links = found ? [...found.links] : [];
    let { exact, canonical } = links.at(-1) ?? CHAIN_START;
    for (const range of messages.slice(links.length)) {
      const bytes = body.subarray(range.start, range.end);
      const blob = sha256Hex(bytes);
      exact = sha256Hex(exact + blob);
      canonical = sha256Hex(canonical + this.#canonicalHash(blob, bytes));
      links.push({ exact, canonical, blob });
    }
    // Few messages are read again as fast as they are found.
    if (links.length > FEW) this.#remember(body, messages, links.slice(0, -RESTLESS), found);
    return links;
  }

  /** The links of the longest known beginning. It is forgotten: this request takes its place. */
  #takePrefix(body: Uint8Array, messages: readonly Range[]): Found | undefined {
    for (let count = messages.length; count > FEW - RESTLESS; count--) {
      const end = endOf(body, messages, count);
      const prefix = this.#prefixes.get(end);
      if (prefix === undefined) continue;
      const hash = new GrowingHash().add(bytesOf(body, messages, count));
      if (prefix.hash !== hash.hex()) continue;
      this.#prefixes.delete(end);
      return { links: prefix.links, hash };
    }
    return undefined;
  }

  /** What was hashed to find the beginning is not hashed again to remember a longer one. */
  #remember(
    body: Uint8Array,
    messages: readonly Range[],
    links: readonly ChainLink[],
    found: Found | undefined,
  ): void {
    const from = found && found.links.length <= links.length ? found : undefined;
    const added = from
      ? body.subarray(messages[from.links.length - 1]?.end, messages[links.length - 1]?.end)
      : bytesOf(body, messages, links.length);
    const hash = (from?.hash ?? new GrowingHash()).add(added).hex();
    this.#prefixes.set(endOf(body, messages, links.length), { hash, links });
  }

  #canonicalHash(hash: string, bytes: Uint8Array): string {
    const found = this.#known.get(hash);
    if (found !== undefined) return found;
    const value = sha256Hex(this.#canonical(bytes));
    this.#known.set(hash, value);
    return value;
  }
}

/** The bytes from the first message to the end of the last of `count`. */
function bytesOf(body: Uint8Array, messages: readonly Range[], count: number): Uint8Array {
  return body.subarray(messages[0]?.start, messages[count - 1]?.end);
}

/** Cheap to make and seldom the same for two conversations: their length, their number and their last bytes in one number. */
function endOf(body: Uint8Array, messages: readonly Range[], count: number): number {
  const start = messages[0]?.start ?? 0;
  const end = messages[count - 1]?.end ?? 0;
  let mixed = Math.imul(end - start, 31) + count;
  for (let at = Math.max(start, end - TAIL); at < end; at++)
    mixed = (Math.imul(mixed, 31) + (body[at] as number)) | 0;
  return mixed;
}

const TAIL = 48;
