import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CONFORMANCE_TABLES, put } from '../conformance.ts';
import { openSqliteStore } from './store.ts';

test('a batch that nobody waits for is written with the next of its turn, or by itself', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-db-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const store = await openSqliteStore({ directory, tables: CONFORMANCE_TABLES });
  const before = (await store.stats()).commits;
  const written = async () => (await store.stats()).commits - before;
  const first = store.commit({ puts: [put(1, 'x')], canWait: true });
  await Promise.resolve();
  await Promise.all([first, store.commit({ puts: [put(2, 'x')] })]);
  assert.equal(await written(), 1);
  await store.commit({ puts: [put(3, 'x')], canWait: true });
  assert.equal(await written(), 2);
  const last = store.commit({ puts: [put(4, 'x')], canWait: true });
  await store.close();
  await last;
});
