import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../base/clock.ts';
import type { Batch, EntryRow, Row, Store } from '../db/store.ts';
import { verifyAudit } from './audit.ts';
import { leafOf, openJournal } from './journal.ts';

class FakeStore {
  rows: EntryRow[] = [];
  tables = new Map<string, Map<string, Row>>();
  reads = 0;
  broken = false;
  async commit(batch: Batch): Promise<void> {
    if (this.broken) throw new Error('disk full');
    this.rows.push(...(batch.entries ?? []));
    for (const { table, row } of batch.puts ?? []) {
      const rows = this.tables.get(table.name) ?? new Map<string, Row>();
      this.tables.set(table.name, rows.set(JSON.stringify(table.key.map((k) => row[k])), row));
    }
  }
  async entries(q: { fromSeq?: number; reverse?: boolean; limit: number }): Promise<EntryRow[]> {
    this.reads++;
    const rows = this.rows.filter((row) => row.seq >= (q.fromSeq ?? 0));
    return (q.reverse ? rows.reverse() : rows).slice(0, q.limit);
  }
  async get(table: { name: string }, key: unknown[]): Promise<Row | undefined> {
    return this.tables.get(table.name)?.get(JSON.stringify(key));
  }
  async range(
    table: { name: string; key: string[] },
    q: { prefix?: unknown[]; from?: number; limit: number },
  ): Promise<Row[]> {
    this.reads++;
    const prefix = q.prefix ?? [];
    const column = table.key[prefix.length] as string;
    return [...(this.tables.get(table.name)?.values() ?? [])]
      .filter((row) => prefix.every((value, i) => row[table.key[i] as string] === value))
      .filter((row) => (row[column] as number) >= (q.from ?? 0))
      .sort((a, b) => (a[column] as number) - (b[column] as number))
      .slice(0, q.limit);
  }
}
const open = (store: FakeStore) =>
  openJournal({ store: store as unknown as Store, clock: new VirtualClock(5) });
const draft = (agent: number, i: number) => ({ kind: 'call.note', agent, body: { i } }) as const;

test('seq and n are dense, no append reads, and a reopened journal goes on with the same root', async () => {
  const store = new FakeStore();
  let journal = await open(store);
  await journal.append({ entries: [draft(9, 0)] });
  // Twice within one tile: what the first knew of must not be lost to the second.
  for (let i = 0; i < 2; i++) journal = await open(store);
  const reads = store.reads;
  for (let i = 0; i < 700; i++) await journal.append({ entries: [draft(i % 3, i), draft(7, i)] });
  assert.equal(store.reads, reads);
  const counts = new Map<number, number>();
  store.rows.forEach((row, seq) => {
    const n = counts.get(row.agent) ?? 0;
    assert.deepEqual([row.seq, row.n], [seq, n]);
    assert.deepEqual(row.leaf, leafOf(row));
    counts.set(row.agent, n + 1);
  });
  const again = await open(store);
  assert.deepEqual([again.size, again.root()], [1401, journal.root()]);
  await again.append({ entries: [draft(7, 0), draft(9, 1)] });
  assert.deepEqual(
    store.rows.slice(-2).map(({ n }) => n),
    [700, 1],
  );
});

test('a checkpoint holds size and root before it; a failed commit is final; an oversized body takes no seq', async () => {
  const store = new FakeStore();
  const journal = await open(store);
  await journal.append({ entries: [draft(1, 1)] });
  const root = journal.root().toString('hex');
  assert.deepEqual(await journal.checkpoint(), { seq: 1 });
  assert.deepEqual(JSON.parse(store.rows[1]?.body ?? ''), { size: 1, root });
  await assert.rejects(
    journal.append({ entries: [{ kind: 'config', agent: 0, body: { x: 'y'.repeat(2100) } }] }),
  );
  assert.equal(journal.size, 2);
  store.broken = true;
  await assert.rejects(journal.append({ entries: [draft(1, 2)] }), /disk full/);
  store.broken = false;
  await assert.rejects(journal.append({ entries: [draft(1, 3)] }), /disk full/);
});

test('the audit names a changed, missing or swapped entry, a changed tile and a cut end', async () => {
  const grow = async () => {
    const store = new FakeStore();
    const journal = await open(store);
    for (let i = 0; i < 300; i++) await journal.append({ entries: [draft(1, i)] });
    const known = { size: journal.size, root: journal.root().toString('hex') };
    await journal.checkpoint();
    return { store, known };
  };
  const audit = async (harm: (store: FakeStore) => void) => {
    const { store, known } = await grow();
    harm(store);
    const report = await verifyAudit(store as unknown as Store, { known });
    return report.findings.map((finding) => `${finding.code} ${finding.seq}`);
  };
  const change = (store: FakeStore, seq: number, row: Partial<EntryRow>) => {
    store.rows[seq] = { ...(store.rows[seq] as EntryRow), ...row };
  };
  assert.deepEqual(await audit(() => {}), []);
  assert.ok((await audit((store) => change(store, 9, { body: '{}' }))).includes('leaf 9'));
  assert.deepEqual(await audit((store) => store.rows.splice(9, 1)), ['gap 9']);
  assert.deepEqual(await audit((store) => store.rows.splice(200)), ['truncated 200']);
  const swapped = await audit((store) => {
    const [a, b] = [store.rows[4] as EntryRow, store.rows[5] as EntryRow];
    change(store, 4, { body: b.body, leaf: b.leaf });
    change(store, 5, { body: a.body, leaf: a.leaf });
  });
  assert.ok(swapped.includes('leaf 4') && swapped.includes('leaf 5'));
  const tiles = await audit((store) => {
    const rows = store.tables.get('tile');
    const row = rows?.get('[0,0,0]');
    rows?.set('[0,0,0]', { ...row, hashes: new Uint8Array(8192) });
  });
  assert.deepEqual(tiles, ['tile 255']);
  // An entry rewritten together with its own leaf is still caught by tile and checkpoint.
  const forged = await audit((store) => {
    const row = { ...(store.rows[9] as EntryRow), body: '{}' };
    change(store, 9, { ...row, leaf: leafOf(row) });
  });
  assert.deepEqual(forged, ['tile 255', 'checkpoint 299', 'checkpoint 300']);
});
