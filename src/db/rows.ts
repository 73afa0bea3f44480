/** Rows as the declarations want them. What does not fit is a bug of the caller and never reaches a disk. */
import { assert } from '../base/assert.ts';
import { readOnce } from '../base/once.ts';
import type { Column, Row, Table, Value } from './store.ts';

/**
 * The row's values in the order of the declared columns; a column left out is null. Each table has code of its own for it,
 * made from its declaration: one loop for all of them would look up every value by its name, at ten times the cost.
 */
export const rowValues = (table: Table, row: Row): Value[] => readerOf(table)(row);

const readerOf = readOnce((table: Table): ((row: Row) => Value[]) => {
  const refuse = ({ name }: Column, value: unknown): void =>
    assert(false, `${table.name}.${name} cannot hold ${String(value)}`);
  const reads = table.columns.map((column, i) => {
    const isNull = column.nullable ? `v${i} === null || ` : '';
    return `const v${i} = row[${JSON.stringify(column.name)}] ?? null;
      if (!(${isNull}${HOLDS[column.type](`v${i}`)})) refuse(columns[${i}], v${i});`;
  });
  const values = table.columns.map((_, i) => `v${i}`);
  const made = new Function(
    'columns',
    'refuse',
    `return (row) => { ${reads.join('\n')} return [${values.join()}]; };`,
  );
  return made(table.columns, refuse) as (row: Row) => Value[];
});

/** Does a column of this type hold it? As code. */
const HOLDS: Readonly<Record<Column['type'], (value: string) => string>> = {
  text: (value) => `typeof ${value} === 'string'`,
  int: (value) => `Number.isSafeInteger(${value})`,
  real: (value) => `Number.isFinite(${value})`,
  bytes: (value) => `${value} instanceof Uint8Array`,
};

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
