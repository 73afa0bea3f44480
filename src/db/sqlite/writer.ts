/** The one writer: a worker thread that puts into the database what is committed, many batches in one transaction. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { LIMITS } from '../limits.ts';
import type { Table } from '../store.ts';
import { Applier } from './apply.ts';
import { storeError, toData } from './failure.ts';
import { migrate } from './migrations.ts';
import { type OpenedFile, openForWriting } from './open.ts';
import { type Numbered, readRecords, type Span } from './redo.ts';
import { allocate, beginLog, replay } from './replay.ts';

export interface WriterData {
  readonly directory: string;
  readonly tables: readonly Table[];
  /** What the redo log's file holds, shared with the thread that writes it. */
  readonly log: SharedArrayBuffer;
}
/** What the writer says when the database is open and holds all that was acknowledged. */
export interface Opened {
  readonly inode: number;
  /** Of the records that are written from now on. */
  readonly epoch: number;
}

const { directory, tables, log: memory } = workerData as WriterData;
const log = Buffer.from(memory);
const port = parentPort;
assert(port, 'the writer runs as a worker');

let file: OpenedFile;
let applier: Applier;

export type Command =
  | { readonly id: number; readonly do: 'apply'; readonly span: Span }
  /** One that the log has no room for. */
  | { readonly id: number; readonly do: 'put'; readonly record: Numbered }
  | { readonly id: number; readonly do: 'shrink'; readonly pages: number }
  | { readonly id: number; readonly do: 'close' };

/**
 * Gives free pages back to the file system, a bounded number at a time, and then empties the log: with secure_delete
 * nothing deleted is left in either file. `busy`: a reader holds the log.
 */
function shrink(pages: number): 'more' | 'busy' | 'done' {
  file.db.exec(`PRAGMA incremental_vacuum(${pages})`);
  const { freelist_count: free } = file.db.prepare('PRAGMA freelist_count').get() as {
    freelist_count: number;
  };
  const { auto_vacuum: automatic } = file.db.prepare('PRAGMA auto_vacuum').get() as { auto_vacuum: number };
  if (free > 0 && automatic !== 0) return 'more';
  const { busy } = file.db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number };
  return busy === 0 ? 'done' : 'busy';
}

function close(): void {
  file.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  file.db.close();
  file.lock.close();
}

function run(command: Command): unknown {
  switch (command.do) {
    case 'apply':
      return applier.apply(readRecords(log, command.span));
    case 'put':
      return applier.apply([command.record]);
    case 'shrink':
      return shrink(command.pages);
    case 'close':
      return close();
  }
}

try {
  file = openForWriting(directory);
  // What an older mezz acknowledged last is in the shape that its tables had.
  replay(directory, file.db, tables, log);
  migrate(file.db, tables);
  const epoch = beginLog(file.db, tables);
  allocate(directory);
  file.db.exec(`PRAGMA cache_size=-${LIMITS.writerCacheBytes.value / 1024}`);
  applier = new Applier(file.db, tables);
  port.on('message', (command: Command) => {
    try {
      port.postMessage({ id: command.id, value: run(command) });
    } catch (error) {
      const failure = toData(storeError(error));
      // SQLite may or may not have rolled back by itself.
      if (file.db.isOpen && file.db.isTransaction) file.db.exec('ROLLBACK');
      port.postMessage({ id: command.id, failure });
    }
    if (command.do === 'close') port.close();
  });
  port.postMessage({ ready: { inode: file.inode, epoch } satisfies Opened });
} catch (error) {
  port.postMessage({ failure: toData(storeError(error)) });
}
