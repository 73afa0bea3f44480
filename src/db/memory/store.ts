/**
 * A store in memory with the semantics of the real one, for tests and the simulator. Batches become durable in the
 * order of the calls; `faults` may delay or fail each one; `crash` loses what was not committed and goes on from there.
 */
import { sha256Hex } from '../../base/hash.ts';
import { rangeColumns, rowValues, wholeKey } from '../rows.ts';
import {
  type Batch,
  type BlobRow,
  type EntryQuery,
  type EntryRow,
  type Pruned,
  type PruneRule,
  type RangeQuery,
  type Row,
  type Store,
  StoreError,
  type StoreSizes,
  type StoreStats,
  type Table,
  type Value,
} from '../store.ts';
import { compare, copyRow, newestFirst, passes } from './order.ts';

export interface Faults {
  /** Called before each batch takes effect: takes its time (by a Clock), or rejects and so fails the store for good. */
  beforeCommit?(batch: Batch): Promise<void>;
  /** Called as soon as the batch is on the imaginary disk, before anybody is told. */
  committed?(batch: Batch): void;
  /** Called once, after the first failed commit. */
  onFatal?(error: StoreError): void;
}

/** What is on the imaginary disk. */
export interface Disk {
  readonly entries: Map<number, EntryRow[]>;
  readonly rows: Map<string, Map<string, Row>>;
  readonly blobs: Map<string, BlobRow>;
}

/** SQLite's length(): characters of a text or of a number as text, bytes of a blob. */
const sizeOf = (value: Value): number =>
  value === null ? 0 : value instanceof Uint8Array ? value.length : [...String(value)].length;

const blobKey = (owner: string, hash: string): string => JSON.stringify([owner, hash]);

export class MemoryStore implements Store {
  readonly #faults: Faults;
  readonly #disk: Disk;
  #tail: Promise<void> = Promise.resolve();
  #dead: StoreError | undefined;
  #refusing: StoreError | undefined;
  #commits = 0;

  /** With an image (of `snapshot`) the store begins with a copy of what was durable then. */
  constructor(faults: Faults = {}, image?: Disk) {
    this.#faults = faults;
    this.#disk = image ? structuredClone(image) : { entries: new Map(), rows: new Map(), blobs: new Map() };
  }

  async commit(batch: Batch): Promise<void> {
    if (this.#dead ?? this.#refusing) throw this.#dead ?? this.#refusing;
    for (const { table, row } of batch.puts ?? []) rowValues(table, row);
    for (const { table, key } of batch.deletes ?? []) wholeKey(table, key);
    const done = this.#tail.then(() => this.#write(batch));
    this.#tail = done.catch(() => {});
    return done;
  }

  async #write(batch: Batch): Promise<void> {
    if (this.#dead) throw this.#dead;
    try {
      await this.#faults.beforeCommit?.(batch);
      if (!this.#dead) this.#apply(batch);
    } catch (error) {
      this.#dead ??=
        error instanceof StoreError
          ? error
          : new StoreError('failed', `commit failed: ${String(error)}`, 'restart the kernel');
      this.#faults.onFatal?.(this.#dead);
    }
    if (this.#dead) throw this.#dead;
    this.#commits++;
    this.#faults.committed?.(batch);
  }

  /** All or nothing: what can be refused is refused before anything changes. */
  #apply(batch: Batch): void {
    const fresh = new Set<string>();
    for (const { log, seq } of batch.entries ?? []) {
      const name = `${log}/${seq}`;
      const there = this.#disk.entries.get(log)?.some((entry) => entry.seq === seq) || fresh.has(name);
      if (there) throw new StoreError('failed', `entry ${name} is already there`, 'restart the kernel');
      fresh.add(name);
    }
    for (const entry of batch.entries ?? []) this.#append({ ...entry, leaf: new Uint8Array(entry.leaf) });
    for (const { table, row } of batch.puts ?? []) {
      const values = rowValues(table, row);
      const whole = Object.fromEntries(table.columns.map((column, i) => [column.name, values[i] as Value]));
      this.#rows(table).set(JSON.stringify(table.key.map((column) => whole[column])), copyRow(whole));
    }
    for (const { table, key } of batch.deletes ?? []) this.#rows(table).delete(JSON.stringify(key));
    for (const blob of batch.blobs ?? []) {
      const key = blobKey(blob.owner, blob.hash);
      if (!this.#disk.blobs.has(key))
        this.#disk.blobs.set(key, { ...blob, bytes: new Uint8Array(blob.bytes) });
    }
    for (const { owner, hash } of batch.erases ?? []) this.#disk.blobs.delete(blobKey(owner, hash));
    const { drop } = batch;
    if (drop) {
      const left = (this.#disk.entries.get(drop.log) ?? []).filter(({ seq }) => seq >= drop.beforeSeq);
      this.#disk.entries.set(drop.log, left);
    }
  }

  #append(entry: EntryRow): void {
    const log = this.#disk.entries.get(entry.log) ?? [];
    this.#disk.entries.set(entry.log, log);
    const last = log.at(-1);
    log.push(entry);
    if (last && last.seq > entry.seq) log.sort((a, b) => a.seq - b.seq);
  }

  #rows(table: Table): Map<string, Row> {
    let rows = this.#disk.rows.get(table.name);
    if (!rows) {
      rows = new Map();
      this.#disk.rows.set(table.name, rows);
    }
    return rows;
  }

  #open(): void {
    if (this.#refusing) throw this.#refusing;
  }

  async get<R extends Row>(table: Table<R>, key: readonly Value[]): Promise<R | undefined> {
    this.#open();
    const row = this.#rows(table).get(JSON.stringify(wholeKey(table, key)));
    return row && (copyRow(row) as R);
  }

  async range<R extends Row>(table: Table<R>, query: RangeQuery): Promise<R[]> {
    this.#open();
    const by = rangeColumns(table, query.by);
    const found = [...this.#rows(table).values()].filter((row) => passes(row, by, query));
    const order = [...by, ...table.key];
    found.sort((a, b) => {
      for (const column of order) {
        const sign = compare(a[column] as Value, b[column] as Value);
        if (sign !== 0) return query.reverse ? -sign : sign;
      }
      return 0;
    });
    return found.slice(0, query.limit).map(copyRow) as R[];
  }

  async entries(query: EntryQuery): Promise<EntryRow[]> {
    this.#open();
    const logs = query.log === undefined ? [...this.#disk.entries.keys()].sort((a, b) => a - b) : [query.log];
    const found: EntryRow[] = [];
    for (const log of query.reverse ? logs.reverse() : logs) {
      const rows = this.#disk.entries.get(log) ?? [];
      for (let i = 0; i < rows.length && found.length < query.limit; i++) {
        const entry = rows[query.reverse ? rows.length - 1 - i : i] as EntryRow;
        const wanted =
          entry.seq >= (query.fromSeq ?? 0) &&
          entry.seq <= (query.toSeq ?? Number.POSITIVE_INFINITY) &&
          entry.agent === (query.agent ?? entry.agent) &&
          entry.call === (query.call ?? entry.call);
        if (wanted) found.push({ ...entry, leaf: new Uint8Array(entry.leaf) });
      }
    }
    return found;
  }

  async blob(owner: string, hash: string): Promise<Uint8Array | undefined> {
    this.#open();
    const blob = this.#disk.blobs.get(blobKey(owner, hash));
    return blob && new Uint8Array(blob.bytes);
  }

  async prune(rule: PruneRule): Promise<Pruned> {
    await this.#tail;
    if (this.#dead ?? this.#refusing) throw this.#dead ?? this.#refusing;
    const gone = { blobs: 0, bytes: 0, newestAt: null as number | null };
    for (const blob of this.#doomed(rule)) {
      if (!rule.dryRun) this.#disk.blobs.delete(blobKey(blob.owner, blob.hash));
      gone.blobs++;
      gone.bytes += blob.bytes.length;
      gone.newestAt = Math.max(gone.newestAt ?? 0, blob.at);
    }
    return gone;
  }

  /** Memory keeps nothing of what is deleted. */
  async scrub(): Promise<void> {}

  #doomed(rule: PruneRule): BlobRow[] {
    const mine = [...this.#disk.blobs.values()].filter((blob) => blob.owner === (rule.owner ?? blob.owner));
    if (rule.beforeMs === undefined && rule.keepBytes === undefined)
      return rule.owner === undefined ? [] : mine;
    let kept = 0;
    return mine.sort(newestFirst).filter((blob) => {
      kept += blob.bytes.length;
      return blob.at < (rule.beforeMs ?? 0) || kept > (rule.keepBytes ?? Number.POSITIVE_INFINITY);
    });
  }

  async check(): Promise<string[]> {
    this.#open();
    return [...this.#disk.blobs.values()]
      .filter((blob) => sha256Hex(blob.bytes) !== blob.hash)
      .map((blob) => `blob ${blob.hash} of ${blob.owner} has other content`);
  }

  async sizes(): Promise<StoreSizes> {
    const tables = [...this.#disk.rows].map(([name, rows]) => ({
      name,
      rows: rows.size,
      bytes: [...rows.values()]
        .flatMap((row) => Object.values(row))
        .reduce((sum: number, value) => sum + sizeOf(value), 0),
    }));
    const entries = new Map<number, { agent: number; rows: number; bytes: number }>();
    for (const { agent, body, kind, leaf } of [...this.#disk.entries.values()].flat()) {
      const known = entries.get(agent) ?? { agent, rows: 0, bytes: 0 };
      known.rows++;
      known.bytes += body.length + kind.length + leaf.length;
      entries.set(agent, known);
    }
    const bodies = new Map<string, { owner: string; rows: number; bytes: number }>();
    for (const { owner, bytes } of this.#disk.blobs.values()) {
      const known = bodies.get(owner) ?? { owner, rows: 0, bytes: 0 };
      known.rows++;
      known.bytes += bytes.length;
      bodies.set(owner, known);
    }
    return {
      tables,
      entries: [...entries.values()].sort((a, b) => a.agent - b.agent),
      bodies: [...bodies.values()].sort((a, b) => compare(a.owner, b.owner)),
    };
  }

  async stats(): Promise<StoreStats> {
    this.#open();
    let entries = 0;
    for (const log of this.#disk.entries.values()) entries += log.length;
    let blobBytes = 0;
    for (const blob of this.#disk.blobs.values()) blobBytes += blob.bytes.length;
    const commits = this.#commits;
    const blobs = this.#disk.blobs.size;
    return { schemaVersion: 1, entries, blobs, blobBytes, fileBytes: 0, commits, batches: commits };
  }

  async backup(): Promise<void> {
    throw new StoreError('failed', 'a store in memory has no backup', 'use the SQLite store');
  }

  /** Batches handed over before are still written; later ones are refused. */
  async close(): Promise<void> {
    this.#refusing ??= new StoreError('failed', 'the store is closed', 'open it again');
    await this.#tail;
  }

  /** What is durable now, as a copy that later commits do not change. */
  snapshot(): Disk {
    return structuredClone(this.#disk);
  }

  /** Kills this store: what was not committed is lost and rejects. Returns the store as the next start finds it. */
  crash(faults: Faults = {}): MemoryStore {
    this.#dead ??= new StoreError('failed', 'crashed', 'restart the kernel');
    this.#refusing = this.#dead;
    return new MemoryStore(faults, this.#disk);
  }
}
