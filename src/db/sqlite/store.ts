/**
 * SQLite in WAL mode with synchronous=FULL: one writer worker with group commit, one reader worker. No SQLite call on
 * the main thread. Group commit: while a transaction is being written, batches gather and become the next one.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { LIMITS } from '../limits.ts';
import { wholeKey } from '../rows.ts';
import {
  type Batch,
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
import { writeBackup } from './backup.ts';
import { Channel } from './channel.ts';
import { merge, type Prepared, prepare } from './group.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { DATABASE } from './open.ts';
import { BODY_SIZES, doomedSql, ENTRY_SIZES, entriesSql, rangeSql, sizeSql } from './sql.ts';

export interface SqliteOptions {
  readonly directory: string;
  readonly tables: readonly Table[];
  /** Called once, after the first failed commit: the kernel must stop. */
  onFatal?(error: StoreError): void;
  /** Told after each durable transaction: how long it took, and how many batches shared it. */
  onCommit?(tookMs: number, batches: number): void;
}

/** Opens the store of a directory, which is created if missing. Throws StoreError; then nothing is left running. */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const { directory, tables } = options;
  let store: SqliteStore | undefined;
  const onDeath = (error: StoreError) => store?.fail(error);
  // Both threads come up at once; the reader opens the file with its first question, when the writer has made it.
  const [writer, reader] = await Promise.allSettled([
    Channel.start('writer', { directory, tables }, onDeath),
    Channel.start('reader', { directory }, onDeath),
  ]);
  if (writer.status === 'fulfilled' && reader.status === 'fulfilled') {
    store = new SqliteStore(options, writer.value, reader.value);
    return store;
  }
  for (const started of [writer, reader]) if (started.status === 'fulfilled') await started.value.end();
  throw writer.status === 'rejected' ? writer.reason : (reader as PromiseRejectedResult).reason;
}

interface Waiter {
  readonly batch: Prepared;
  resolve(): void;
  reject(error: StoreError): void;
}

class SqliteStore implements Store {
  readonly #options: SqliteOptions;
  readonly #tables: ReadonlySet<string>;
  readonly #writer: Channel;
  readonly #reader: Channel;
  #queue: Waiter[] = [];
  #writing: Waiter[] | undefined;
  #drained: Promise<void> = Promise.resolve();
  #dead: StoreError | undefined;
  #failed = false;
  #commits = 0;
  #batches = 0;

  constructor(options: SqliteOptions, writer: Channel, reader: Channel) {
    this.#options = options;
    this.#tables = new Set(options.tables.map((table) => table.name));
    this.#writer = writer;
    this.#reader = reader;
  }

  async commit(batch: Batch): Promise<void> {
    if (this.#dead) throw this.#dead;
    this.#assertDeclared(batch);
    const prepared = prepare(batch);
    const done = new Promise<void>((resolve, reject) =>
      this.#queue.push({ batch: prepared, resolve, reject }),
    );
    if (this.#queue.length > LIMITS.queuedBatches.value) {
      const message = `more than ${LIMITS.queuedBatches.value} batches wait to be written`;
      this.fail(new StoreError('failed', message, 'the disk cannot keep up: check it, then mezz up'));
    } else if (!this.#writing) {
      this.#writing = [];
      // All that arrives in this turn of the event loop shares the first transaction.
      this.#drained = new Promise((resolve) => setImmediate(() => void this.#pump().then(resolve)));
    }
    return done;
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0) {
      const waiters = this.#queue.splice(0, LIMITS.batchesPerCommit.value);
      this.#writing = waiters;
      const began = performance.now();
      try {
        const runs = merge(waiters.map((waiter) => waiter.batch));
        await this.#writer.ask(
          { do: 'commit', runs },
          runs.map(({ bytes }) => bytes.buffer),
        );
        this.#commits++;
        this.#batches += waiters.length;
        await this.#acknowledge(waiters);
        this.#options.onCommit?.(performance.now() - began, waiters.length);
      } catch (error) {
        this.fail(error as StoreError);
      }
    }
    this.#writing = undefined;
  }

  /** A part at a time: whoever waited goes on at once, and a thousand of them would hold up everything else meanwhile. */
  async #acknowledge(waiters: readonly Waiter[]): Promise<void> {
    for (const [i, waiter] of waiters.entries()) {
      waiter.resolve();
      if (i % LIMITS.acknowledgedAtOnce.value === LIMITS.acknowledgedAtOnce.value - 1)
        await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The end: every open and every later commit rejects with this error. */
  fail(error: StoreError): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#dead = error;
    for (const waiter of [...(this.#writing ?? []), ...this.#queue]) waiter.reject(error);
    this.#queue = [];
    this.#options.onFatal?.(error);
  }

  #assertDeclared({ puts = [], deletes = [] }: Batch): void {
    for (const list of [puts, deletes])
      for (const { table } of list)
        if (!this.#tables.has(table.name)) assert(false, `table ${table.name} is not declared in db/schema`);
  }

  async #all(sql: string, values: readonly Value[]): Promise<Row[]> {
    return (await this.#reader.ask({ sql, values })) as Row[];
  }

  async get<R extends Row>(table: Table<R>, key: readonly Value[]): Promise<R | undefined> {
    const [row] = await this.range(table, { prefix: wholeKey(table, key), limit: 1 });
    return row;
  }

  async range<R extends Row>(table: Table<R>, query: RangeQuery): Promise<R[]> {
    const { sql, values } = rangeSql(table, query);
    return (await this.#all(sql, values)) as R[];
  }

  async entries(query: EntryQuery): Promise<EntryRow[]> {
    const { sql, values } = entriesSql(query);
    return (await this.#all(sql, values)) as unknown as EntryRow[];
  }

  async blob(owner: string, hash: string): Promise<Uint8Array | undefined> {
    const [row] = await this.#all('SELECT bytes FROM blob WHERE owner=? AND hash=?', [owner, hash]);
    return row?.bytes as Uint8Array | undefined;
  }

  /** In batches between others' commits: however much goes, nobody waits long. */
  async prune(rule: PruneRule): Promise<Pruned> {
    const limit = rule.dryRun ? Number.MAX_SAFE_INTEGER : LIMITS.listedBlobs.value;
    const chunk = LIMITS.prunedBlobs.value;
    const gone = { blobs: 0, bytes: 0, newestAt: null as number | null };
    for (;;) {
      if (this.#dead) throw this.#dead;
      const { sql, values } = doomedSql(rule, limit);
      const doomed = (await this.#all(sql, values)) as {
        owner: string;
        hash: string;
        at: number;
        size: number;
      }[];
      gone.blobs += doomed.length;
      for (const { size } of doomed) gone.bytes += size;
      gone.newestAt = doomed.at(-1)?.at ?? gone.newestAt;
      for (let i = 0; i < doomed.length && !rule.dryRun; i += chunk)
        await this.commit({ erases: doomed.slice(i, i + chunk).map(({ owner, hash }) => ({ owner, hash })) });
      if (doomed.length < limit) return gone;
    }
  }

  async scrub(): Promise<void> {
    const { shrunkPages, shrinkTries } = LIMITS;
    for (let busy = 0; busy < shrinkTries.value; ) {
      if (this.#dead) throw this.#dead;
      const state = await this.#writer.ask({ do: 'shrink', pages: shrunkPages.value });
      if (state === 'done') return;
      if (state === 'busy') busy++;
    }
    throw new StoreError(
      'failed',
      'the log of the database could not be emptied: something reads it all the time',
      'close other programs that have mezz.db open, then mezz gc',
    );
  }

  /** In a worker of its own: it reads the whole file, and the kernel goes on meanwhile. */
  async check(): Promise<string[]> {
    const reader = await Channel.start('reader', { directory: this.#options.directory });
    try {
      const { checkProblems, checkedBlobs } = LIMITS;
      const sql = `PRAGMA integrity_check(${checkProblems.value})`;
      const rows = (await reader.ask({ sql, values: [] })) as Row[];
      const blobs = (await reader.ask({
        sql: 'SELECT owner, hash FROM blob WHERE rowid IN (SELECT rowid FROM blob ORDER BY random() LIMIT ?) AND sha256(bytes)<>hash LIMIT ?',
        values: [checkedBlobs.value, checkProblems.value],
      })) as Row[];
      return [
        ...rows.map((row) => String(row.integrity_check)).filter((text) => text !== 'ok'),
        ...blobs.map((row) => `blob ${row.hash} of ${row.owner} has other content`),
      ];
    } catch (error) {
      if (error instanceof StoreError && error.code === 'corrupt') return [error.message];
      throw error;
    } finally {
      await reader.end();
    }
  }

  async sizes(): Promise<StoreSizes> {
    const reader = await Channel.start('reader', { directory: this.#options.directory });
    const read = async (sql: string) => (await reader.ask({ sql, values: [] })) as never[];
    try {
      const tables = [];
      for (const table of this.#options.tables) {
        const [size] = await read(sizeSql(table));
        tables.push({ name: table.name, ...(size as unknown as { rows: number; bytes: number }) });
      }
      return { tables, entries: await read(ENTRY_SIZES), bodies: await read(BODY_SIZES) };
    } finally {
      await reader.end();
    }
  }

  async stats(): Promise<StoreStats> {
    const [counts] = await this.#all(
      'SELECT (SELECT count(*) FROM entry) AS entries, count(*) AS blobs, coalesce(sum(length(bytes)),0) AS bytes FROM blob',
      [],
    );
    const file = await stat(join(this.#options.directory, DATABASE));
    return {
      schemaVersion: SCHEMA_VERSION,
      entries: counts?.entries as number,
      blobs: counts?.blobs as number,
      blobBytes: counts?.bytes as number,
      fileBytes: file.size,
      commits: this.#commits,
      batches: this.#batches,
    };
  }

  backup(path: string): Promise<void> {
    return writeBackup(this.#options.directory, path);
  }

  /** Batches handed over before are still written; later ones are refused. */
  async close(): Promise<void> {
    this.#dead ??= new StoreError('failed', 'the store is closed', 'open it again');
    await this.#drained;
    await this.#reader.end();
    await this.#writer.end({ do: 'close' });
  }
}
