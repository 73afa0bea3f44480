/** The reader: a worker thread with a read-only connection of its own, so that long reads never hold up a commit. */
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { sha256Hex } from '../../base/hash.ts';
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

try {
  const db = new DatabaseSync(join(directory, DATABASE), {
    readOnly: true,
    timeout: LIMITS.busyWaitMs.value,
  });
  db.function('sha256', { deterministic: true }, (bytes) => sha256Hex(bytes as Uint8Array));
  const statements = new Map<string, StatementSync>();
  port.on('message', (query: Query) => {
    try {
      let statement = statements.get(query.sql);
      if (!statement) {
        statement = db.prepare(query.sql);
        statements.set(query.sql, statement);
      }
      port.postMessage({ id: query.id, value: statement.all(...query.values) });
    } catch (error) {
      port.postMessage({ id: query.id, failure: toData(storeError(error)) });
    }
  });
  port.postMessage({ ready: true });
} catch (error) {
  port.postMessage({ failure: toData(storeError(error)) });
}
