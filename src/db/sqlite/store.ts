/**
 * SQLite in WAL mode with synchronous=FULL: one writer worker with group commit, one reader worker. No SQLite call on
 * the main thread. Group commit: while a transaction is being written, batches gather and become the next one.
 */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import {
  type Batch,
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
import { Channel } from './channel.ts';
import { SCHEMA_VERSION } from './ddl.ts';
import { entriesSql, pruneSql, rangeSql } from './sql.ts';
import type { WireBatch } from './writer.ts';

export interface SqliteOptions {
  readonly directory: string;
  readonly tables: readonly Table[];
  /** Called once, after the first failed commit: the kernel must stop. */
  onFatal?(error: StoreError): void;
}

export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const writer = await Channel.start('writer', { directory: options.directory, tables: options.tables });
  const reader = await Channel.start('reader', { directory: options.directory });
  return new SqliteStore(options, writer, reader);
}

interface Waiter {
  readonly batch: WireBatch;
  resolve(): void;
  reject(error: StoreError): void;
}

class SqliteStore implements Store {
  readonly #options: SqliteOptions;
  readonly #writer: Channel;
  readonly #reader: Channel;
  #queue: Waiter[] = [];
  #writing = false;
  #dead: StoreError | undefined;
  #commits = 0;
  #batches = 0;
  #whenDrained: (() => void) | undefined;

  constructor(options: SqliteOptions, writer: Channel, reader: Channel) {
    this.#options = options;
    this.#writer = writer;
    this.#reader = reader;
  }

  commit(batch: Batch): Promise<void> {
    if (this.#dead) return Promise.reject(this.#dead);
    return new Promise((resolve, reject) => {
      this.#queue.push({ batch: toWire(batch), resolve, reject });
      if (this.#writing) return;
      this.#writing = true;
      // All that arrives in this turn of the event loop shares the first transaction.
      setImmediate(() => void this.#pump());
    });
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0 && !this.#dead) {
      const waiters = this.#queue;
      this.#queue = [];
      try {
        await this.#writer.ask({ do: 'commit', batches: waiters.map((waiter) => waiter.batch) });
        this.#commits++;
        this.#batches += waiters.length;
        for (const waiter of waiters) waiter.resolve();
      } catch (error) {
        this.#fail(error as StoreError, waiters);
      }
    }
    this.#writing = false;
    this.#whenDrained?.();
  }

  #fail(error: StoreError, waiters: readonly Waiter[]): void {
    this.#dead = error;
    for (const waiter of [...waiters, ...this.#queue]) waiter.reject(error);
    this.#queue = [];
    this.#options.onFatal?.(error);
  }

  async #all(sql: string, values: readonly Value[]): Promise<Row[]> {
    return (await this.#reader.ask({ sql, values })) as Row[];
  }

  async get<R extends Row>(table: Table<R>, key: readonly Value[]): Promise<R | undefined> {
    assert(key.length === table.key.length, `${table.name} needs its whole key`);
    const [row] = await this.range(table, { prefix: key, limit: 1 });
    return row;
  }

  async range<R extends Row>(table: Table<R>, query: RangeQuery): Promise<R[]> {
    const { sql, values } = rangeSql(table as unknown as Table, query);
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

  async prune(what: Parameters<Store['prune']>[0]): Promise<{ blobs: number; bytes: number }> {
    const gone = { blobs: 0, bytes: 0 };
    for (const { sql, values } of pruneSql(what)) {
      const part = (await this.#writer.ask({ do: 'prune', sql, values })) as typeof gone;
      gone.blobs += part.blobs;
      gone.bytes += part.bytes;
    }
    return gone;
  }

  async check(): Promise<string[]> {
    const rows = await this.#all('PRAGMA integrity_check(20)', []);
    return rows.map((row) => String(row.integrity_check)).filter((text) => text !== 'ok');
  }

  async stats(): Promise<StoreStats> {
    const [counts] = await this.#all(
      'SELECT (SELECT count(*) FROM entry) AS entries, count(*) AS blobs, coalesce(sum(length(bytes)),0) AS bytes FROM blob',
      [],
    );
    const file = await stat(join(this.#options.directory, 'mezz.db'));
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

  async backup(path: string): Promise<void> {
    if (existsSync(path))
      throw new StoreError('failed', `${path} is already there`, 'choose a new file name');
    await this.#writer.ask({ do: 'backup', path });
  }

  async close(): Promise<void> {
    if (this.#writing) await new Promise<void>((resolve) => (this.#whenDrained = resolve));
    this.#dead ??= new StoreError('failed', 'the store is closed', 'open it again');
    await this.#reader.end();
    await this.#writer.ask({ do: 'close' }).catch(() => undefined);
    await this.#writer.end();
  }
}

function toWire(batch: Batch): WireBatch {
  return {
    ...(batch.entries ? { entries: batch.entries } : {}),
    ...(batch.blobs ? { blobs: batch.blobs } : {}),
    puts: (batch.puts ?? []).map(({ table, row }) => [
      table.name,
      table.columns.map((column) => row[column.name] ?? null),
    ]),
    deletes: (batch.deletes ?? []).map(({ table, key }) => [table.name, key]),
  };
}
