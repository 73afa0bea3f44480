/**
 * Batches that share one transaction, merged: of several writes to one row only the last is made, and what crosses to
 * the writer are flat lists of values, which copy cheapest. All of the transaction becomes durable at once, so nobody
 * can tell a row that was written twice in it from one that was written once.
 */
import { rowValues, wholeKey } from '../rows.ts';
import type { Batch, Table, Value } from '../store.ts';

/** Lists of values, one row after the other; puts and deletes by table. No key is in both. */
export interface WireCommit {
  /** In the place of its last column, which is bytes, a row has their length. */
  readonly entries: readonly Value[];
  readonly puts: readonly Writes[];
  readonly deletes: readonly Writes[];
  /** As the entries. */
  readonly blobs: readonly Value[];
  /** The bytes of the entries and then of the blobs, one after the other: a view of each would be cloned with its pool. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly erases: NonNullable<Batch['erases']>;
  readonly drop: Batch['drop'];
}
type Writes = readonly [table: string, values: readonly Value[]];

export const ENTRY_COLUMNS = ['log', 'seq', 'agent', 'n', 'call', 'kind', 'at', 'body', 'leaf'] as const;
export const BLOB_COLUMNS = ['owner', 'hash', 'at', 'bytes'] as const;

/** A batch whose rows are checked. */
export interface Prepared {
  readonly batch: Batch;
  readonly puts: readonly { readonly table: Table; readonly values: readonly Value[] }[];
  readonly deletes: readonly { readonly table: Table; readonly values: readonly Value[] }[];
}

/** Throws where a row does not fit its table: that is a bug of the caller, and the batch is not written. */
export function prepare(batch: Batch): Prepared {
  return {
    batch,
    puts: (batch.puts ?? []).map(({ table, row }) => ({ table, values: rowValues(table, row) })),
    deletes: (batch.deletes ?? []).map(({ table, key }) => ({ table, values: wholeKey(table, key) })),
  };
}

interface TableWrites {
  readonly puts: Map<string, readonly Value[]>;
  readonly deletes: Map<string, readonly Value[]>;
}

/** In the order of the calls. What erases is the last of its run: a later batch may write the same blob again. */
export function merge(batches: readonly Prepared[]): WireCommit[] {
  const runs: WireCommit[] = [];
  let from = 0;
  batches.forEach(({ batch }, at) => {
    const isLast = at === batches.length - 1 || batch.erases !== undefined || batch.drop !== undefined;
    if (!isLast) return;
    runs.push(mergeRun(batches.slice(from, at + 1), batch));
    from = at + 1;
  });
  return runs;
}

function mergeRun(batches: readonly Prepared[], { erases = [], drop }: Batch): WireCommit {
  const entries: Value[] = [];
  const blobs: Value[] = [];
  const leaves: Uint8Array[] = [];
  const bodies: Uint8Array[] = [];
  const tables = new Map<Table, TableWrites>();
  const of = (table: Table): TableWrites => {
    const writes = tables.get(table) ?? { puts: new Map(), deletes: new Map() };
    tables.set(table, writes);
    return writes;
  };
  for (const { batch, puts, deletes } of batches) {
    for (const { log, seq, agent, n, call, kind, at, body, leaf } of batch.entries ?? []) {
      entries.push(log, seq, agent, n, call, kind, at, body, leaf.length);
      leaves.push(leaf);
    }
    for (const { table, values } of puts) {
      const key = keyText(keyOf(table, values));
      const writes = of(table);
      writes.deletes.delete(key);
      writes.puts.set(key, values);
    }
    for (const { table, values } of deletes) {
      const key = keyText(values);
      const writes = of(table);
      writes.puts.delete(key);
      writes.deletes.set(key, values);
    }
    for (const { owner, hash, at, bytes } of batch.blobs ?? []) {
      blobs.push(owner, hash, at, bytes.length);
      bodies.push(bytes);
    }
  }
  const flat = (kind: keyof TableWrites): Writes[] =>
    [...tables]
      .filter(([, writes]) => writes[kind].size > 0)
      .map(([table, writes]) => [table.name, [...writes[kind].values()].flat()]);
  return {
    entries,
    puts: flat('puts'),
    deletes: flat('deletes'),
    blobs,
    bytes: join([...leaves, ...bodies]),
    erases,
    drop,
  };
}

function join(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

const keyPlaces = new WeakMap<Table, readonly number[]>();

function keyOf(table: Table, values: readonly Value[]): readonly Value[] {
  let places = keyPlaces.get(table);
  if (!places) {
    places = table.key.map((name) => table.columns.findIndex((column) => column.name === name));
    keyPlaces.set(table, places);
  }
  return places.map((place) => values[place] as Value);
}

/** One text per key: of equal length or not, no two keys of a table share one. */
function keyText(key: readonly Value[]): string {
  if (key.length === 1) return String(key[0]);
  let text = '';
  for (const value of key) {
    const part = String(value);
    text += `${part.length}:${part}`;
  }
  return text;
}
