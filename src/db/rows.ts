/** Rows as the declarations want them. What does not fit is a bug of the caller and never reaches a disk. */
import { assert } from '../base/assert.ts';
import type { Column, Row, Table, Value } from './store.ts';

/** The row's values in the order of the declared columns; a column left out is null. */
export function rowValues(table: Table, row: Row): Value[] {
  const values: Value[] = [];
  for (const column of table.columns) {
    const value = row[column.name] ?? null;
    if (!fits(column, value)) assert(false, `${table.name}.${column.name} cannot hold ${String(value)}`);
    values.push(value);
  }
  return values;
}

/** The key, checked for its length. */
export function wholeKey(table: Table, key: readonly Value[]): readonly Value[] {
  assert(key.length === table.key.length, `${table.name} has a key of ${table.key.length} columns`);
  return key;
}

/** The columns a range compares: the primary key or one declared index. */
export function rangeColumns(table: Table, by: readonly string[] | undefined): readonly string[] {
  if (by === undefined) return table.key;
  const declared = (table.indexes ?? []).some((index) => index.join() === by.join());
  assert(declared || by.join() === table.key.join(), `${table.name} has no index on ${by.join()}`);
  return by;
}

function fits(column: Column, value: Value): boolean {
  if (value === null) return column.nullable === true;
  switch (column.type) {
    case 'text':
      return typeof value === 'string';
    case 'int':
      return Number.isSafeInteger(value);
    case 'real':
      return Number.isFinite(value);
    case 'bytes':
      return value instanceof Uint8Array;
  }
}
