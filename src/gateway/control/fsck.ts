/** State rows against the entries they are a fold of. */
import { CALL, type CallRow } from '../../db/schema/journal.ts';
import { applyEntry } from '../../journal/calls.ts';
import { firstSeq } from '../../journal/tree.ts';
import type { ControlContext } from './context.ts';

const PAGE = 1000;
const MOST_PROBLEMS = 100;

/** Recomputes every call's row from its entries and compares; streams, a page of calls at a time. */
export async function checkRows({ gate }: ControlContext): Promise<{ checked: number; problems: string[] }> {
  const { store } = gate.parts;
  const problems = await store.check();
  const pruned = (await firstSeq(store)) > 0;
  let checked = 0;
  for (let from = ''; ; ) {
    const rows = await store.range(CALL, { from, limit: PAGE });
    for (const row of rows) {
      if (row.id === from) continue;
      const wrong = await differing(store, row, pruned);
      if (wrong === undefined) continue;
      // A call that runs may have moved on between its row and its entries.
      const later = wrong.length > 0 ? await store.get(CALL, [row.id]) : row;
      if (later && hasMoved(row, later)) continue;
      checked++;
      if (wrong.length > 0 && problems.length < MOST_PROBLEMS)
        problems.push(`call ${row.id}: ${wrong.join(', ')} differ from the entries`);
    }
    if (rows.length < PAGE) return { checked, problems };
    from = (rows.at(-1) as CallRow).id;
  }
}

const hasMoved = (row: CallRow, later: CallRow): boolean => JSON.stringify(row) !== JSON.stringify(later);

/** The columns that disagree; undefined where retention took the call's first entry, so that nothing can be told. */
async function differing(
  store: ControlContext['gate']['parts']['store'],
  row: CallRow,
  pruned: boolean,
): Promise<string[] | undefined> {
  const entries = await store.entries({ call: row.id, limit: PAGE });
  const begins = entries.some(({ kind }) => kind === 'call.start' || kind === 'call.refuse');
  if (pruned && !begins) return undefined;
  let folded: CallRow | undefined;
  for (const entry of entries) folded = applyEntry(folded, { ...entry, body: JSON.parse(entry.body) });
  return Object.keys(row).filter(
    (column) => row[column as keyof CallRow] !== folded?.[column as keyof CallRow],
  );
}
