/** Reads all rows of a range, one bounded page after the other. */
import { assert } from '../base/assert.ts';
import type { Row, Store, Table, Value } from '../db/store.ts';
import { LIMITS } from './limits.ts';

/** The prefix names every key column but the last, which is text and tells the rows apart. */
export async function* readPages<R extends Row>(
  store: Store,
  table: Table<R>,
  prefix: readonly Value[],
): AsyncGenerator<R> {
  const column = table.key[prefix.length];
  assert(
    column !== undefined && table.key.length === prefix.length + 1,
    `${table.name}: the prefix is not whole`,
  );
  let from: Value | undefined;
  for (;;) {
    const after = from === undefined ? {} : { from };
    const rows = await store.range(table, { prefix, ...after, limit: LIMITS.page.value });
    for (const row of rows) if (row[column] !== from) yield row;
    if (rows.length < LIMITS.page.value) return;
    from = rows.at(-1)?.[column];
  }
}
