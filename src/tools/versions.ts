/**
 * Versions of keys, and which version each agent has seen: what holds across an agent's thinking, where no lock may.
 * Invariant: a version is newer than another's write exactly when content changed; an agent's stamp never names a
 * version whose whole content it did not read or write.
 */
import type { Digest } from '../base/ports.ts';
import { overlaps } from './effects.ts';
import { LIMITS } from './limits.ts';

/** Who made a version. `agent` 0: somebody round the gate. */
export interface Author {
  readonly agent: number;
  readonly name: string;
  /** How, as its client names it: `Bash`, `Edit`. */
  readonly tool: string;
  readonly call: string;
  readonly at: number;
}

interface Known {
  readonly key: string;
  n: number;
  digest: Digest | undefined;
  /** The latest, the newest last. */
  readonly authors: { readonly n: number; readonly author: Author }[];
}

/** The version that an agent has seen, and what it held. */
interface Seen {
  readonly n: number;
  readonly hash: string | undefined;
}

export interface Unseen {
  readonly author: Author;
  readonly sawBefore: boolean;
  /** What the key held when the agent last saw it. */
  readonly saw: string | undefined;
}

export class Versions {
  readonly #known = new Map<string, Known>();
  readonly #stamps = new Map<number, Map<string, Seen>>();

  get size(): number {
    return this.#known.size;
  }

  digest(key: string): Digest | undefined {
    return this.#known.get(key)?.digest;
  }

  knows(key: string): boolean {
    return this.#known.has(key);
  }

  /** Keys with a version that are this one or below it. */
  below(key: string): string[] {
    return [...this.#known.keys()].filter((one) => one.length >= key.length && overlaps(key, one));
  }

  /** What was just looked at. true: it is not what mezz left there, so somebody wrote round it. */
  see(key: string, digest: Digest | undefined): boolean {
    const known = this.#known.get(key);
    if (!known) {
      this.#keep({ key, n: 0, digest, authors: [] });
      return false;
    }
    const isOther = known.digest?.hash !== digest?.hash;
    this.#keep(known);
    known.digest = digest;
    return isOther;
  }

  /** A new version. Its author has seen it whole if it had seen the one before, or put all of it there itself. */
  wrote(key: string, author: Author, whole: boolean): void {
    const known = this.#keep(this.#known.get(key) ?? { key, n: 0, digest: undefined, authors: [] });
    const saw = this.#stamps.get(author.agent)?.get(key)?.n === known.n;
    known.n++;
    known.authors.push({ n: known.n, author });
    if (known.authors.length > LIMITS.authors.value) known.authors.shift();
    if (saw || whole) this.stamp(author.agent, key);
  }

  /** The agent has seen the key as it is now. */
  stamp(agent: number, key: string): void {
    const known = this.#known.get(key);
    if (!known || agent === 0) return;
    const stamps = this.#stamps.get(agent) ?? new Map<string, Seen>();
    this.#stamps.set(agent, stamps);
    stamps.delete(key);
    stamps.set(key, { n: known.n, hash: known.digest?.hash });
    dropOldest(stamps, LIMITS.stampsPerAgent.value);
  }

  /** The latest version by somebody else that the agent has not seen. Whoever never saw the key has seen none of it. */
  unseen(agent: number, key: string): Unseen | undefined {
    const stamp = this.#stamps.get(agent)?.get(key);
    const foreign = this.#known.get(key)?.authors.findLast(({ author }) => author.agent !== agent);
    if (!foreign || (stamp !== undefined && stamp.n >= foreign.n)) return undefined;
    return { author: foreign.author, sawBefore: stamp !== undefined, saw: stamp?.hash };
  }

  /** Who made the version that stands. */
  author(key: string): Author | undefined {
    return this.#known.get(key)?.authors.at(-1)?.author;
  }

  /** An agent that is gone sees nothing any more. */
  forget(agent: number): void {
    this.#stamps.delete(agent);
  }

  /** As the one used last: what is used goes last. */
  #keep(known: Known): Known {
    this.#known.delete(known.key);
    this.#known.set(known.key, known);
    dropOldest(this.#known, LIMITS.knownKeys.value);
    return known;
  }
}

function dropOldest<K, V>(map: Map<K, V>, most: number): void {
  if (map.size <= most) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}
