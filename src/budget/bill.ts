/** Bills: the usage rows, grouped. */
import type { BillRow } from '../base/money.ts';
import { USAGE, type UsageRow } from '../db/schema/budget.ts';
import type { Store } from '../db/store.ts';
import { addUse, type Counts, noCounts } from './counts.ts';
import { readPages } from './pages.ts';
import { startOf } from './periods.ts';

export type BillBy = 'agent' | 'account' | 'model' | 'day' | 'owner';

/** Rows in order of cost, days in order of time. `since` (ms) counts from the start of its day; `agents` leaves out all others. */
export async function readBill(
  by: BillBy,
  since: number | undefined,
  store: Store,
  agents?: ReadonlySet<number>,
): Promise<{ rows: BillRow[]; total: BillRow }> {
  const groups = new Map<string, Counts>();
  const total = noCounts();
  for await (const row of readDays(store, since === undefined ? 0 : startOf('day', since))) {
    if (agents && !agents.has(row.agent)) continue;
    const key = keyOf(row, by);
    const counts = groups.get(key) ?? noCounts();
    groups.set(key, counts);
    addUse(counts, row, row.cost, row.requests);
    addUse(total, row, row.cost, row.requests);
  }
  const rows = [...groups].map(([key, counts]) => billRow(key, counts));
  rows.sort((a, b) => (by === 'day' ? 0 : b.cost - a.cost) || (a.key < b.key ? -1 : 1));
  return { rows, total: billRow('total', total) };
}

async function* readDays(store: Store, fromDay: number): AsyncGenerator<UsageRow> {
  let from = fromDay;
  for (;;) {
    const [next] = await store.range(USAGE, { from, limit: 1 });
    if (!next) return;
    yield* readPages(store, USAGE, [next.day]);
    from = next.day + 1;
  }
}

function keyOf(row: UsageRow, by: BillBy): string {
  return by === 'day' ? new Date(row.day).toISOString().slice(0, 10) : String(row[by]);
}

function billRow(key: string, counts: Counts): BillRow {
  const { requests, cost, ...usage } = counts;
  return { key, name: null, requests, usage, cost };
}
