/**
 * SQLite with a redo log in front: a commit is one synchronous write to the log, and the writer worker puts many of them
 * into the database in one transaction (WAL, synchronous=FULL), at the latest when somebody reads what they wrote. One
 * reader worker; no SQLite call on the main thread. Group commit: while the log is being written, batches gather and
 * become the next write. After a crash what is in the log alone is put into the database before anything else.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
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
import { Commits } from './commits.ts';
import { SCHEMA_VERSION } from './migrations.ts';
import { DATABASE } from './open.ts';
import { RedoLog } from './redolog.ts';
import { BODY_SIZES, doomedSql, ENTRY_SIZES, entriesSql, rangeSql, sizeSql } from './sql.ts';
import { Threads } from './threads.ts';
import type { Opened } from './writer.ts';

export interface SqliteOptions {
  readonly directory: string;
  readonly tables: readonly Table[];
  /** Called once, after the first failed commit: the kernel must stop. */
  onFatal?(error: StoreError): void;
  /** Told after each write to the log: how long it took, and how many batches shared it. */
  onCommit?(tookMs: number, batches: number): void;
}

/**
 * Opens the store of a directory, which is created if missing, on threads of its own or on those that are coming up there
 * already. Throws StoreError; then nothing is left running.
 */
export async function openSqliteStore(
  options: SqliteOptions,
  threads = new Threads(options.directory, options.tables),
): Promise<Store> {
  const { writer, reader } = await threads.opened();
  const store = new SqliteStore(options, writer, reader, threads.log);
  threads.onDeath = (error) => store.fail(error);
  return store;
}

class SqliteStore implements Store {
  readonly #options: SqliteOptions;
  readonly #writer: Channel;
  readonly #reader: Channel;
  readonly #commits: Commits;

  constructor(options: SqliteOptions, writer: Channel, reader: Channel, memory: SharedArrayBuffer) {
    const { inode, epoch } = writer.said as Opened;
    this.#options = options;
    this.#writer = writer;
    this.#reader = reader;
    const log = new RedoLog(options.directory, memory, epoch);
    this.#commits = new Commits({ ...options, inode }, log, writer);
  }

  commit(batch: Batch): Promise<void> {
    return this.#commits.commit(batch);
  }

  fail(error: StoreError): void {
    this.#commits.fail(error);
  }

  /** `tables`: what is read there. */
  async #all(tables: readonly string[], sql: string, values: readonly Value[]): Promise<Row[]> {
    await this.#commits.settled(tables);
    return (await this.#reader.ask({ sql, values })) as Row[];
  }

  async get<R extends Row>(table: Table<R>, key: readonly Value[]): Promise<R | undefined> {
    const [row] = await this.range(table, { prefix: wholeKey(table, key), limit: 1 });
    return row;
  }

  async range<R extends Row>(table: Table<R>, query: RangeQuery): Promise<R[]> {
    const { sql, values } = rangeSql(table, query);
    return (await this.#all([table.name], sql, values)) as R[];
  }

  async entries(query: EntryQuery): Promise<EntryRow[]> {
    const { sql, values } = entriesSql(query);
    return (await this.#all(['entry'], sql, values)) as unknown as EntryRow[];
  }

  async blob(owner: string, hash: string): Promise<Uint8Array | undefined> {
    const [row] = await this.#all(['blob'], 'SELECT bytes FROM blob WHERE owner=? AND hash=?', [owner, hash]);
    return row?.bytes as Uint8Array | undefined;
  }

  /** In batches between others' commits: however much goes, nobody waits long. */
  async prune(rule: PruneRule): Promise<Pruned> {
    const limit = rule.dryRun ? Number.MAX_SAFE_INTEGER : LIMITS.listedBlobs.value;
    const chunk = LIMITS.prunedBlobs.value;
    const gone = { blobs: 0, bytes: 0, newestAt: null as number | null };
    for (;;) {
      this.#commits.assertAlive();
      const { sql, values } = doomedSql(rule, limit);
      const doomed = (await this.#all(['blob'], sql, values)) as {
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
    await this.#commits.wipe();
    for (let busy = 0; busy < shrinkTries.value; ) {
      this.#commits.assertAlive();
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
    await this.#commits.settled();
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
    await this.#commits.settled();
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
      ['entry', 'blob'],
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
      commits: this.#commits.commits,
      batches: this.#commits.batches,
    };
  }

  async backup(path: string): Promise<void> {
    await this.#commits.settled();
    return writeBackup(this.#options.directory, path);
  }

  /** Batches handed over before are still written; later ones are refused. */
  async close(): Promise<void> {
    await this.#commits.close();
    await this.#reader.end();
    await this.#writer.end({ do: 'close' });
  }
}
