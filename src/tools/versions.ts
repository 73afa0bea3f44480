/**
 * Versions of keys, and which version each agent has seen: what holds across an agent's thinking, where no lock may.
 * Invariant: a version is newer than another's write exactly when content changed, where content can be looked at, else
 * when a call that says that it writes may have; an agent's stamp never names a version that it did not read, or write
 * whole. What is here goes into the store with the batches of the calls that made it, and is here again after a restart.
 */
import type { Digest } from '../base/ports.ts';
import { SEEN, VERSION, type VersionRow } from '../db/schema/tools.ts';
import type { Batch, Store } from '../db/store.ts';
import { KeyTree } from './keytree.ts';
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

/** What the next batch to the store has to take with it. */
export interface Fresh {
  readonly puts: NonNullable<Batch['puts']>;
  readonly deletes: NonNullable<Batch['deletes']>;
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
  /** The same keys. */
  readonly #tree = new KeyTree();
  readonly #stamps = new Map<number, Map<string, Seen>>();
  /** Numbers of versions only grow, over all keys: what was forgotten and is known again is newer than any stamp. */
  #last = 0;
  /** What the store does not have as it is here, also where it is no more here. */
  readonly #freshKeys = new Set<string>();
  readonly #freshStamps = new Map<number, Set<string>>();

  /** As they were when the kernel last ran; of what agents that are gone have seen nothing. */
  static async open(store: Store, isThere: (agent: number) => boolean): Promise<Versions> {
    const versions = new Versions();
    const rows = await store.range(VERSION, { by: ['at'], reverse: true, limit: LIMITS.knownKeys.value });
    for (const row of rows.reverse()) {
      versions.#known.set(row.key, knownOf(row));
      versions.#tree.add(row.key);
    }
    const seen = await store.range(SEEN, { by: ['at'], reverse: true, limit: LIMITS.stampsAtStart.value });
    for (const { agent, key, n, hash } of seen.reverse()) {
      versions.#last = Math.max(versions.#last, n);
      if (!isThere(agent)) {
        versions.#freshStamp(agent, key);
        continue;
      }
      const stamps = versions.#stamps.get(agent) ?? new Map<string, Seen>();
      versions.#stamps.set(agent, stamps.set(key, { n, hash: hash ?? undefined }));
    }
    for (const { n } of versions.#known.values()) versions.#last = Math.max(versions.#last, n);
    await versions.#dropOlder(store, seen[0]?.at);
    return versions;
  }

  /** Rows that are not known again leave the store too, some with each start. */
  async #dropOlder(store: Store, at: number | undefined): Promise<void> {
    if (at === undefined) return;
    const older = await store.range(SEEN, { by: ['at'], to: at - 1, limit: LIMITS.stampsDropped.value });
    for (const { agent, key } of older) if (!this.#stamps.get(agent)?.has(key)) this.#freshStamp(agent, key);
  }

  /** What has changed since it was last asked; whoever takes it stores it. */
  takeFresh(now: number): Fresh {
    const puts: Fresh['puts'][number][] = [];
    const deletes: Fresh['deletes'][number][] = [];
    for (const key of this.#freshKeys) {
      const known = this.#known.get(key);
      if (known) puts.push({ table: VERSION, row: versionRow(known, now) });
      else deletes.push({ table: VERSION, key: [key] });
    }
    for (const [agent, keys] of this.#freshStamps)
      for (const key of keys) {
        const seen = this.#stamps.get(agent)?.get(key);
        if (seen)
          puts.push({ table: SEEN, row: { agent, key, n: seen.n, hash: seen.hash ?? null, at: now } });
        else deletes.push({ table: SEEN, key: [agent, key] });
      }
    this.#freshKeys.clear();
    this.#freshStamps.clear();
    return { puts, deletes };
  }

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
    return this.#tree.below(key);
  }

  /** What was just looked at. true: it is not what mezz left there, so somebody wrote round it. */
  see(key: string, digest: Digest | undefined): boolean {
    const known = this.#known.get(key);
    if (!known) {
      this.#keep({ key, n: this.#last, digest, authors: [] });
      return false;
    }
    const isOther = known.digest?.hash !== digest?.hash;
    if (isOther || known.digest?.stat !== digest?.stat) this.#freshKeys.add(key);
    this.#keep(known);
    known.digest = digest;
    return isOther;
  }

  /** A new version. Its author has seen it whole if it had seen the one before, or put all of it there itself. */
  wrote(key: string, author: Author, whole: boolean): void {
    const known = this.#keep(this.#known.get(key) ?? { key, n: this.#last, digest: undefined, authors: [] });
    this.#freshKeys.add(key);
    const saw = this.#stamps.get(author.agent)?.get(key)?.n === known.n;
    known.n = ++this.#last;
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
    const old = stamps.get(key);
    stamps.delete(key);
    stamps.set(key, { n: known.n, hash: known.digest?.hash });
    if (old?.n !== known.n || old.hash !== known.digest?.hash) this.#freshStamp(agent, key);
    const dropped = dropOldest(stamps, LIMITS.stampsPerAgent.value);
    if (dropped !== undefined) this.#freshStamp(agent, dropped);
  }

  #freshStamp(agent: number, key: string): void {
    const fresh = this.#freshStamps.get(agent) ?? new Set();
    this.#freshStamps.set(agent, fresh.add(key));
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
    for (const key of this.#stamps.get(agent)?.keys() ?? []) this.#freshStamp(agent, key);
    this.#stamps.delete(agent);
  }

  /** Nothing is known any more of what these agents wrote. */
  erase(agents: ReadonlySet<number>): void {
    for (const agent of agents) this.forget(agent);
    for (const { key, authors } of [...this.#known.values()])
      if (authors.some(({ author }) => agents.has(author.agent))) {
        this.#known.delete(key);
        this.#tree.delete(key);
        this.#freshKeys.add(key);
      }
  }

  /** As the one used last: what is used goes last. */
  #keep(known: Known): Known {
    if (!this.#known.delete(known.key)) {
      this.#freshKeys.add(known.key);
      this.#tree.add(known.key);
    }
    this.#known.set(known.key, known);
    const dropped = dropOldest(this.#known, LIMITS.knownKeys.value);
    if (dropped !== undefined) {
      this.#freshKeys.add(dropped);
      this.#tree.delete(dropped);
    }
    return known;
  }
}

/** The key that went, if one had to. */
function dropOldest<V>(map: Map<string, V>, most: number): string | undefined {
  if (map.size <= most) return undefined;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
  return oldest;
}

const versionRow = ({ key, n, digest, authors }: Known, at: number): VersionRow => ({
  ...{ key, n, at, authors: JSON.stringify(authors) },
  ...{ hash: digest?.hash ?? null, stat: digest?.stat ?? null, changedAt: digest?.changedAt ?? null },
});

function knownOf({ key, n, hash, stat, changedAt, authors }: VersionRow): Known {
  const digest = hash === null ? undefined : { hash, stat: stat ?? '', changedAt: changedAt ?? 0 };
  return { key, n, digest, authors: JSON.parse(authors) as Known['authors'] };
}
