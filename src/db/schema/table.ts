import type { Column, Row, Table } from '../store.ts';

type ColumnText<V> = V extends string | null ? 'text' : V extends number | null ? 'int' | 'real' : 'bytes';
type ColumnTypes<R> = {
  readonly [K in keyof R & string]: null extends R[K]
    ? `${ColumnText<NonNullable<R[K]>>}?`
    : ColumnText<R[K]>;
};

/** Declares a table; the compiler holds the column list to the row's type. A trailing `?` allows null. */
export function table<R extends Row>(
  name: string,
  columns: ColumnTypes<R>,
  key: readonly (keyof R & string)[],
  indexes: readonly (readonly (keyof R & string)[])[] = [],
): Table<R> {
  const list = Object.entries(columns as Record<string, string>).map(
    ([column, type]): Column => ({
      name: column,
      type: type.replace('?', '') as Column['type'],
      nullable: type.endsWith('?'),
    }),
  );
  return { name, columns: list, key, indexes };
}
