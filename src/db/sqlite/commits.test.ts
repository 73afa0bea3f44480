import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { CONFORMANCE_TABLES, put } from '../conformance.ts';
import { LIMITS } from '../limits.ts';
import { openSqliteStore } from './store.ts';

async function opened(t: TestContext, onCommit: (tookMs: number) => void = () => {}) {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-db-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return { directory, store: await openSqliteStore({ directory, tables: CONFORMANCE_TABLES, onCommit }) };
}

test('a batch that nobody waits for is written with the next of its turn, or by itself', async (t) => {
  const { store } = await opened(t);
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

test('where a batch is alone the kernel waits for a quick disk itself', async (t) => {
  let lastMs = Number.POSITIVE_INFINITY;
  const { store } = await opened(t, (tookMs) => {
    lastMs = tookMs;
  });
  let waited = 0;
  for (let id = 1; id <= 40; id++) {
    const isAlone = id % 4 > 0;
    const mustWait = isAlone && lastMs <= LIMITS.waitedForMs.value;
    const done = store.commit({ puts: [put(id, 'x')], isAlone });
    const isAsked = process.getActiveResourcesInfo().includes('FSReqCallback');
    await done;
    await turn();
    if (mustWait) assert.ok(!isAsked);
    if (!isAlone) assert.ok(isAsked, 'somebody else would be held up');
    if (!isAsked) waited++;
  }
  if (waited === 0) t.skip('this disk is slow');
  await store.close();
});

test('a scrub that the end of the store overtakes fails with it', { timeout: 20_000 }, async (t) => {
  const { directory, store } = await opened(t);
  await store.commit({ puts: [put(1, 'x')] });
  const other = new DatabaseSync(join(directory, 'mezz.db'));
  other.exec("CREATE TRIGGER no BEFORE INSERT ON thing BEGIN SELECT RAISE(ABORT, 'no'); END");
  other.close();
  await assert.rejects(store.scrub(), { name: 'StoreError' });
  await store.close();
});
