/**
 * db/ keeps rows, entries and blobs durably and knows no subsystem: tables are declared as data in schema/.
 * Invariant: `commit` resolves only when the whole batch is on disk, all of it or nothing; batches become durable in
 * the order of the calls; a rejected commit is final: every later one rejects too and the kernel must stop.
 */
export type Value = string | number | Uint8Array | null;
export type Row = Readonly<Record<string, Value>>;

export interface Column {
  readonly name: string;
  readonly type: 'text' | 'int' | 'real' | 'bytes';
  readonly nullable?: boolean;
}

/** A state table. `key` columns are the primary key, in order; `indexes` are lists of column names. */
export interface Table<R extends Row = Row> {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly key: readonly string[];
  readonly indexes?: readonly (readonly string[])[];
  /** Never set: carries the row's type, so that reads are typed and every table is also a plain `Table`. */
  readonly row?: R;
}

export interface EntryRow {
  readonly log: number;
  /** Dense per log from 0, assigned by journal/ (the only writer). */
  readonly seq: number;
  /** Pid, or 0 for entries of the kernel itself. */
  readonly agent: number;
  /** The agent's own dense order. */
  readonly n: number;
  readonly call: string | null;
  readonly kind: string;
  readonly at: number;
  readonly body: string;
  readonly leaf: Uint8Array;
}

/** Content-addressed bytes of one owner. `hash` is the plain SHA-256 in hex and dies with the row. */
export interface BlobRow {
  readonly hash: string;
  readonly owner: string;
  readonly at: number;
  readonly bytes: Uint8Array;
}

export interface Batch {
  readonly entries?: readonly EntryRow[];
  /** Insert or replace by primary key. */
  readonly puts?: readonly { readonly table: Table; readonly row: Row }[];
  readonly deletes?: readonly { readonly table: Table; readonly key: readonly Value[] }[];
  /** Blobs already there (same hash and owner) are left as they are. */
  readonly blobs?: readonly BlobRow[];
  /** Blobs that go, after those of the batch were written; what is not there is ignored. */
  readonly erases?: readonly BlobKey[];
  /** A log loses its front: every entry before this one. */
  readonly drop?: { readonly log: number; readonly beforeSeq: number };
  /** Nobody waits for it: it shares the write of what is handed over next, if that comes in this turn. */
  readonly canWait?: true;
  /** Nothing else is under way in the kernel: its thread may wait for the disk itself, where that is quick. */
  readonly isAlone?: boolean;
}

export type BlobKey = Pick<BlobRow, 'owner' | 'hash'>;

export interface RangeQuery {
  /** Columns compared, in order: the primary key by default, else exactly one declared index. */
  readonly by?: readonly string[];
  /** Equality on a leading part of `by`. */
  readonly prefix?: readonly Value[];
  /** Inclusive bounds on the column of `by` that follows the prefix. */
  readonly from?: Value;
  readonly to?: Value;
  readonly reverse?: boolean;
  /** At most this many rows (required: every read has a bound). */
  readonly limit: number;
}

export interface EntryQuery {
  readonly log?: number;
  readonly fromSeq?: number;
  readonly toSeq?: number;
  readonly agent?: number;
  readonly call?: string;
  readonly reverse?: boolean;
  readonly limit: number;
}

/** An owner without any other rule loses everything; no rule removes nothing. */
export interface PruneRule {
  readonly beforeMs?: number;
  readonly keepBytes?: number;
  readonly owner?: string;
  /** Only counts what would go. */
  readonly dryRun?: boolean;
}

export interface Pruned {
  readonly blobs: number;
  readonly bytes: number;
  /** The instant of the newest blob that went; every older one of the rule's owner went with it. */
  readonly newestAt: number | null;
}

export interface StoreStats {
  readonly schemaVersion: number;
  readonly entries: number;
  readonly blobs: number;
  readonly blobBytes: number;
  readonly fileBytes: number;
  readonly commits: number;
  /** Batches that travelled in those commits (group commit). */
  readonly batches: number;
}

/** What takes the room, for people: bytes are those of the content, without the file's own overhead. */
export interface StoreSizes {
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly bytes: number }[];
  readonly entries: readonly { readonly agent: number; readonly rows: number; readonly bytes: number }[];
  readonly bodies: readonly { readonly owner: string; readonly rows: number; readonly bytes: number }[];
}

export interface Store {
  commit(batch: Batch): Promise<void>;
  get<R extends Row>(table: Table<R>, key: readonly Value[]): Promise<R | undefined>;
  range<R extends Row>(table: Table<R>, query: RangeQuery): Promise<R[]>;
  entries(query: EntryQuery): Promise<EntryRow[]>;
  blob(owner: string, hash: string): Promise<Uint8Array | undefined>;
  /** Removes blobs older than `beforeMs` and, among the rest, the oldest beyond `keepBytes`; says what went. */
  prune(what: PruneRule): Promise<Pruned>;
  /** What was deleted before is gone from the files too, and the room it took is given back. */
  scrub(): Promise<void>;
  /** Integrity of the file itself; an empty list means sound. */
  check(): Promise<string[]>;
  stats(): Promise<StoreStats>;
  /** Reads everything: slow on a large store, and nothing waits for it. */
  sizes(): Promise<StoreSizes>;
  /** A consistent copy at `path`, taken while the kernel runs. */
  backup(path: string): Promise<void>;
  close(): Promise<void>;
}

/** Why a store cannot be opened or written: shown to a person as it is. */
export class StoreError extends Error {
  override name = 'StoreError';
  readonly code: 'locked' | 'newer' | 'corrupt' | 'full' | 'readonly' | 'sqlite_too_old' | 'failed';
  readonly remedy: string;
  constructor(code: StoreError['code'], message: string, remedy: string) {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}
