/** Rows as the declarations want them. What does not fit is a bug of the caller and never reaches a disk. */
import { assert } from '../base/assert.ts';
import type { Column, Row, Table, Value } from './store.ts';

/**
 * The row's values in the order of the declared columns; a column left out is null. Most rows are made in that order: to
 * go through what they hold costs a fifth of asking them for one name after the other.
 */
export function rowValues(table: Table, row: Row): Value[] {
  const values: Value[] = [];
  for (const name in row) {
    const column = table.columns[values.length];
    if (column?.name !== name) return valuesByName(table, row);
    values.push(held(table, column, row[name]));
  }
  return values.length === table.columns.length ? values : valuesByName(table, row);
}

const valuesByName = (table: Table, row: Row): Value[] =>
  table.columns.map((column) => held(table, column, row[column.name]));

function held(table: Table, column: Column, given: Value | undefined): Value {
  const value = given ?? null;
  if (!fits(column, value)) assert(false, `${table.name}.${column.name} cannot hold ${String(value)}`);
  return value;
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
