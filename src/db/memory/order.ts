/** SQLite's order and comparisons, so that memory answers exactly as the file does. */
import type { BlobRow, RangeQuery, Row, Value } from '../store.ts';

const rank = (value: Value): number =>
  value === null ? 0 : typeof value === 'number' ? 1 : typeof value === 'string' ? 2 : 3;

/** Null, then numbers, then text by its UTF-8 bytes, then bytes. https://www.sqlite.org/datatype3.html#sort_order */
export function compare(a: Value, b: Value): number {
  if (a === b) return 0;
  const difference = rank(a) - rank(b);
  if (difference !== 0 || a === null || b === null) return difference;
  if (typeof a === 'number') return a - (b as number);
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  return Buffer.compare(a, b as Uint8Array);
}

/** Whether the row lies in the range. A bound never holds for null, as in SQL. */
export function passes(row: Row, by: readonly string[], query: RangeQuery): boolean {
  const prefix = query.prefix ?? [];
  if (!prefix.every((value, i) => compare(row[by[i] as string] as Value, value) === 0)) return false;
  const next = by[prefix.length];
  if (next === undefined) return true;
  const value = row[next] as Value;
  const above = (low: Value) => value !== null && low !== null && compare(value, low) >= 0;
  const below = (high: Value) => value !== null && high !== null && compare(value, high) <= 0;
  return (query.from === undefined || above(query.from)) && (query.to === undefined || below(query.to));
}

export const newestFirst = (a: BlobRow, b: BlobRow): number =>
  b.at - a.at || compare(a.hash, b.hash) || compare(a.owner, b.owner);

/** A row of its own: neither side can change what the other holds. */
export const copyRow = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? new Uint8Array(value) : value,
    ]),
  );
