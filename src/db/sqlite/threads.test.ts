import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TABLES } from '../schema/index.ts';
import { openSqliteStore } from './store.ts';
import { Threads } from './threads.ts';

const directory = mkdtempSync(join(tmpdir(), 'mezz-threads-'));
after(() => rmSync(directory, { recursive: true, force: true }));

test('threads that came up for nothing leave no lock, and nothing that keeps a store from opening', async () => {
  const unused = new Threads(directory, TABLES);
  await unused.opened();
  await assert.rejects(openSqliteStore({ directory, tables: TABLES }), { code: 'locked' });
  await unused.end();
  await unused.end();
  const unseen = new Threads(directory, TABLES);
  await unseen.end();
  const store = await openSqliteStore({ directory, tables: TABLES }, new Threads(directory, TABLES));
  const refused = new Threads(directory, TABLES);
  await assert.rejects(refused.opened(), { code: 'locked' });
  await refused.end();
  await store.close();
});
