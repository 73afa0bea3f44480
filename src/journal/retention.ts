/**
 * Two clocks: bodies go after theirs, entries after a longer one. Invariant: entries go from the front alone, in whole
 * tiles, in one transaction with the entry that says so; tiles stay, so that what is left can still be proven.
 */
import { callIdsFrom } from '../base/ids.ts';
import type { JsonRecord } from '../base/json.ts';
import { INTENT } from '../db/schema/agents.ts';
import { CALL, type CallRow, MESSAGE, REQUEST } from '../db/schema/journal.ts';
import { CHANGE, type ChangeRow, RESULT, type ResultRow } from '../db/schema/tools.ts';
import { type Batch, type Store, StoreError, type Table } from '../db/store.ts';
import type { ContextStore } from './context.ts';
import type { Journal } from './journal.ts';
import { LIMITS } from './limits.ts';
import { firstSeq, treeAt } from './tree.ts';

export interface RetentionRule {
  /** Bodies stored before this go. */
  readonly bodiesBeforeMs?: number;
  /** Of the rest, the oldest beyond this. */
  readonly keepBytes?: number;
  /** Entries before this go, with the rows of calls that ended before it. */
  readonly entriesBeforeMs?: number;
  /** Only counts what would go. */
  readonly dryRun?: boolean;
}

export interface Retired {
  readonly blobs: number;
  readonly bytes: number;
  readonly entries: number;
  readonly calls: number;
}

export interface Kept {
  readonly store: Store;
  readonly journal: Journal;
  readonly context: ContextStore;
}

type Deletes = NonNullable<Batch['deletes']>;

/** Applies a rule now. What goes is in `prune` entries; a checkpoint follows when entries went. */
export async function retire(kept: Kept, rule: RetentionRule): Promise<Retired> {
  const entries = await retireEntries(kept, rule);
  const bodies = await retireBodies(kept, rule);
  const retired = { ...bodies, ...entries };
  if (!rule.dryRun && (bodies.blobs > 0 || entries.entries > 0)) await kept.store.scrub();
  return retired;
}

async function retireBodies({ store, journal, context }: Kept, rule: RetentionRule) {
  const { bodiesBeforeMs: beforeMs, keepBytes, dryRun = false } = rule;
  const { newestAt, ...gone } = await store.prune({
    ...(beforeMs === undefined ? {} : { beforeMs }),
    ...(keepBytes === undefined ? {} : { keepBytes }),
    dryRun,
  });
  if (dryRun || newestAt === null) return gone;
  // What is still in use is stored again by the next request that holds it.
  context.forgetKnown();
  await dropNames(store, Math.max(newestAt, (beforeMs ?? 0) - 1));
  await journal.append({ entries: [{ kind: 'prune', agent: 0, body: { ...gone, upTo: newestAt } }] });
  return gone;
}

/** The plain hashes of a body die with it: rows that name messages as old as what went, and how requests were made. */
async function dropNames(store: Store, upToMs: number): Promise<void> {
  const limit = LIMITS.page.value;
  for (;;) {
    const rows = await store.range(MESSAGE, { by: ['at'], to: upToMs, limit });
    const deletes: Deletes = rows.map(({ owner, id }) => ({ table: MESSAGE, key: [owner, id] }));
    await store.commit({ deletes });
    if (rows.length < limit) break;
  }
  for (;;) {
    const rows = await store.range(REQUEST, { to: callIdsFrom(upToMs + 1), limit });
    await store.commit({ deletes: rows.map(({ call }) => ({ table: REQUEST, key: [call] })) });
    if (rows.length < limit) break;
  }
  for (const table of [CHANGE, RESULT]) await dropCalls<ChangeRow | ResultRow>(store, table, upToMs);
}

async function dropCalls<R extends ChangeRow | ResultRow>(
  store: Store,
  table: Table<R>,
  upToMs: number,
): Promise<void> {
  const limit = LIMITS.page.value;
  for (;;) {
    const rows = await store.range(table, { to: callIdsFrom(upToMs + 1), limit });
    await store.commit({ deletes: rows.map(({ call, key }) => ({ table, key: [call, key] })) });
    if (rows.length < limit) return;
  }
}

async function retireEntries(kept: Kept, rule: RetentionRule): Promise<{ entries: number; calls: number }> {
  const { store, journal } = kept;
  if (rule.entriesBeforeMs === undefined) return { entries: 0, calls: 0 };
  const first = await firstSeq(store);
  const until = await boundary(store, first, journal.size, rule.entriesBeforeMs);
  if (rule.dryRun || until <= first) {
    const calls = rule.dryRun ? await countCalls(store, first, until, rule.entriesBeforeMs) : 0;
    return { entries: Math.max(0, until - first), calls };
  }
  let calls = 0;
  for (let from = first; from < until; from += LIMITS.prunedEntries.value) {
    const beforeSeq = Math.min(until, from + LIMITS.prunedEntries.value);
    const done = await endedCalls(store, from, beforeSeq, rule.entriesBeforeMs);
    calls += done.length;
    const tree = await treeAt(store, beforeSeq);
    if (!tree) throw new StoreError('corrupt', 'tiles of the journal are missing', 'mezz audit verify');
    const body: JsonRecord = {
      entries: beforeSeq - from,
      before: beforeSeq,
      root: tree.root().toString('hex'),
    };
    await journal.append({
      entries: [{ kind: 'prune', agent: 0, body }],
      deletes: done.flatMap(rowsOf),
      drop: { log: 0, beforeSeq },
    });
  }
  await journal.checkpoint();
  return { entries: until - first, calls };
}

/** The greatest tile boundary before which every entry is older than the instant; found by halving. */
async function boundary(store: Store, first: number, size: number, beforeMs: number): Promise<number> {
  let low = first;
  let high = size;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [entry] = await store.entries({ log: 0, fromSeq: middle, limit: 1 });
    if (entry && entry.at < beforeMs) low = middle + 1;
    else high = middle;
  }
  const width = LIMITS.tileHashes.value;
  return Math.max(first, Math.floor(low / width) * width);
}

async function countCalls(store: Store, first: number, until: number, beforeMs: number): Promise<number> {
  let calls = 0;
  for (let from = first; from < until; from += LIMITS.prunedEntries.value) {
    const beforeSeq = Math.min(until, from + LIMITS.prunedEntries.value);
    calls += (await endedCalls(store, from, beforeSeq, beforeMs)).length;
  }
  return calls;
}

/** Calls whose last entry lies in this stretch and that ended before the instant: their rows go with their proof. */
async function endedCalls(
  store: Store,
  from: number,
  beforeSeq: number,
  beforeMs: number,
): Promise<CallRow[]> {
  const ids = new Set<string>();
  for (let at = from; at < beforeSeq; at += LIMITS.page.value) {
    const toSeq = Math.min(beforeSeq, at + LIMITS.page.value) - 1;
    const page = await store.entries({ log: 0, fromSeq: at, toSeq, limit: LIMITS.page.value });
    for (const { call, kind } of page)
      if (call !== null && (kind === 'call.end' || kind === 'call.refuse')) ids.add(call);
  }
  const rows = await Promise.all([...ids].map((id) => store.get(CALL, [id])));
  return rows.filter(
    (row) => row !== undefined && row.endedAt !== null && row.endedAt < beforeMs,
  ) as CallRow[];
}

const rowsOf = (call: CallRow): Deletes => [
  { table: CALL, key: [call.id] },
  { table: REQUEST, key: [call.id] },
  ...(call.toolUseId === null ? [] : [{ table: INTENT, key: [call.agent, call.toolUseId] }]),
];
