/**
 * A store in memory with the semantics of the real one, for tests and the simulator. `faults.beforeCommit` may delay
 * or fail a commit; `crash` forgets all that was not committed, and `reopen` goes on from there.
 */
import { assert } from '../../base/assert.ts';
import {
  type Batch,
  type BlobRow,
  type EntryQuery,
  type EntryRow,
  type RangeQuery,
  type Row,
  type Store,
  StoreError,
  type StoreStats,
  type Table,
  type Value,
} from '../store.ts';

export interface Faults {
  /** Called before each commit takes effect; a rejection is a failed commit. */
  beforeCommit?(): Promise<void>;
}

interface Disk {
  entries: EntryRow[];
  rows: Map<string, Map<string, Row>>;
  blobs: Map<string, BlobRow>;
}

export class MemoryStore implements Store {
  readonly #faults: Faults;
  readonly #disk: Disk;
  #tail: Promise<void> = Promise.resolve();
  #dead: StoreError | undefined;
  #commits = 0;

  constructor(faults: Faults = {}, disk?: Disk) {
    this.#faults = faults;
    this.#disk = disk ?? { entries: [], rows: new Map(), blobs: new Map() };
  }

  commit(batch: Batch): Promise<void> {
    const done = this.#tail.then(async () => {
      if (this.#dead) throw this.#dead;
      try {
        await this.#faults.beforeCommit?.();
      } catch (error) {
        this.#dead ??= new StoreError('failed', `commit failed: ${String(error)}`, 'restart the kernel');
      }
      if (this.#dead) throw this.#dead;
      this.#apply(batch);
      this.#commits++;
    });
    this.#tail = done.catch(() => {});
    return done;
  }

  #apply(batch: Batch): void {
    for (const entry of batch.entries ?? []) {
      const last = this.#disk.entries.at(-1);
      assert(last === undefined || entry.seq === last.seq + 1, 'entries are dense');
      this.#disk.entries.push(entry);
    }
    for (const { table, row } of batch.puts ?? []) {
      this.#rows(table).set(keyText(table.key.map((column) => row[column] as Value)), { ...row });
    }
    for (const { table, key } of batch.deletes ?? []) this.#rows(table).delete(keyText(key));
    for (const blob of batch.blobs ?? []) {
      const key = `${blob.owner}/${blob.hash}`;
      if (!this.#disk.blobs.has(key)) this.#disk.blobs.set(key, blob);
    }
  }

  #rows(table: Pick<Table, 'name'>): Map<string, Row> {
    let rows = this.#disk.rows.get(table.name);
    if (!rows) {
      rows = new Map();
      this.#disk.rows.set(table.name, rows);
    }
    return rows;
  }

  async get<R extends Row>(table: Table<R>, key: readonly Value[]): Promise<R | undefined> {
    return this.#rows(table).get(keyText(key)) as R | undefined;
  }

  async range<R extends Row>(table: Table<R>, query: RangeQuery): Promise<R[]> {
    const by = query.by ?? table.key;
    const prefix = query.prefix ?? [];
    const next = by[prefix.length];
    const found = [...this.#rows(table).values()].filter((row) => {
      if (!prefix.every((value, i) => compare(row[by[i] as string] as Value, value) === 0)) return false;
      if (next === undefined) return true;
      const value = row[next] as Value;
      if (query.from !== undefined && compare(value, query.from) < 0) return false;
      return query.to === undefined || compare(value, query.to) <= 0;
    });
    const order = [...by, ...table.key];
    found.sort((a, b) => {
      for (const column of order) {
        const sign = compare(a[column] as Value, b[column] as Value);
        if (sign !== 0) return query.reverse ? -sign : sign;
      }
      return 0;
    });
    return found.slice(0, query.limit) as R[];
  }

  async entries(query: EntryQuery): Promise<EntryRow[]> {
    const found = this.#disk.entries.filter(
      (entry) =>
        (query.log === undefined || entry.log === query.log) &&
        (query.fromSeq === undefined || entry.seq >= query.fromSeq) &&
        (query.toSeq === undefined || entry.seq <= query.toSeq) &&
        (query.agent === undefined || entry.agent === query.agent) &&
        (query.call === undefined || entry.call === query.call),
    );
    if (query.reverse) found.reverse();
    return found.slice(0, query.limit);
  }

  async blob(owner: string, hash: string): Promise<Uint8Array | undefined> {
    return this.#disk.blobs.get(`${owner}/${hash}`)?.bytes;
  }

  async prune(what: Parameters<Store['prune']>[0]): Promise<{ blobs: number; bytes: number }> {
    const wanted = what.hashes === undefined ? undefined : new Set(what.hashes);
    let keep = what.keepBytes ?? Number.POSITIVE_INFINITY;
    const gone = { blobs: 0, bytes: 0 };
    for (const [key, blob] of [...this.#disk.blobs].sort((a, b) => b[1].at - a[1].at)) {
      if (what.owner !== undefined && blob.owner !== what.owner) continue;
      keep -= blob.bytes.length;
      const named =
        wanted?.has(blob.hash) ??
        (what.owner !== undefined && what.beforeMs === undefined && what.keepBytes === undefined);
      if (!named && !(what.beforeMs !== undefined && blob.at < what.beforeMs) && keep >= 0) continue;
      this.#disk.blobs.delete(key);
      gone.blobs++;
      gone.bytes += blob.bytes.length;
    }
    return gone;
  }

  async check(): Promise<string[]> {
    return [];
  }

  async stats(): Promise<StoreStats> {
    let blobBytes = 0;
    for (const blob of this.#disk.blobs.values()) blobBytes += blob.bytes.length;
    return {
      schemaVersion: 1,
      entries: this.#disk.entries.length,
      blobs: this.#disk.blobs.size,
      blobBytes,
      fileBytes: 0,
      commits: this.#commits,
      batches: this.#commits,
    };
  }

  async backup(): Promise<void> {
    throw new StoreError('failed', 'a store in memory has no backup', 'use the SQLite store');
  }

  async close(): Promise<void> {
    await this.#tail;
    this.#dead ??= new StoreError('failed', 'the store is closed', 'open it again');
  }

  /** Kills this store: pending commits reject, what was committed stays. Returns the store after the restart. */
  crash(faults: Faults = {}): MemoryStore {
    this.#dead = new StoreError('failed', 'crashed', 'restart');
    return new MemoryStore(faults, this.#disk);
  }
}

const keyText = (key: readonly Value[]): string => JSON.stringify(key);

/** SQLite's order: null, numbers, text, bytes. */
function compare(a: Value, b: Value): number {
  const rank = (value: Value) =>
    value === null ? 0 : typeof value === 'number' ? 1 : typeof value === 'string' ? 2 : 3;
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (a === null || b === null) return 0;
  if (typeof a === 'number') return a - (b as number);
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  return Buffer.compare(a, b as Uint8Array);
}
