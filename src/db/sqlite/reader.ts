/** The reader: a worker thread with a read-only connection of its own, so that long reads never hold up a commit. */
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { LIMITS } from '../limits.ts';
import type { Value } from '../store.ts';
import { storeError, toData } from './failure.ts';
import { DATABASE } from './open.ts';

const { directory } = workerData as { directory: string };
const port = parentPort;
assert(port, 'the reader runs as a worker');

export interface Query {
  readonly id: number;
  readonly sql: string;
  readonly values: readonly Value[];
}

const statements = new Map<string, StatementSync>();
let opened: DatabaseSync | undefined;

/** With the first question: the writer makes the file while this thread comes up. */
function database(): DatabaseSync {
  if (opened) return opened;
  const db = new DatabaseSync(join(directory, DATABASE), {
    readOnly: true,
    timeout: LIMITS.busyWaitMs.value,
  });
  // Loaded with its first use, which few readers come to.
  db.function('sha256', { deterministic: true }, (bytes) =>
    process.getBuiltinModule('node:crypto').hash('sha256', bytes as Uint8Array, 'hex'),
  );
  opened = db;
  return db;
}

function answer({ sql, values }: Query): unknown {
  let statement = statements.get(sql);
  if (!statement) {
    statement = database().prepare(sql);
    statements.set(sql, statement);
  }
  return statement.all(...values);
}

port.on('message', (query: Query) => {
  try {
    port.postMessage({ id: query.id, value: answer(query) });
  } catch (error) {
    port.postMessage({ id: query.id, failure: toData(storeError(error)) });
  }
});
port.postMessage({ ready: true });
