/**
 * Batches that share one transaction, merged: of several writes to one row only the last is made. What crosses to the
 * writer is one JSON text and one piece of memory, which cost a fraction of a structured clone of so many small values.
 * All of the transaction becomes durable at once, so nobody can tell a row that was written twice in it from one that
 * was written once.
 */
import { rowValues, wholeKey } from '../rows.ts';
import type { Batch, Value } from '../store.ts';

export interface WireCommit {
  /** A `Commit` as JSON. */
  readonly text: string;
  /** The bytes of the entries and then of the blobs, one after the other: a view of each would be cloned with its pool. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Rows are lists of values in the order of their columns. No key is in both the puts and the deletes. */
export interface Commit {
  /** In the place of its last column, which is bytes, a row has their length. */
  readonly entries: readonly (readonly Value[])[];
  readonly puts: readonly Writes[];
  readonly deletes: readonly Writes[];
  /** As the entries. */
  readonly blobs: readonly (readonly Value[])[];
  readonly erases: NonNullable<Batch['erases']>;
  readonly drop?: NonNullable<Batch['drop']>;
}
/** Bytes stand as a list of one text, in base64: they are rare in rows. */
type Written = string | number | null | readonly [base64: string];
type Writes = readonly [table: string, rows: readonly (readonly Written[])[]];

export const ENTRY_COLUMNS = ['log', 'seq', 'agent', 'n', 'call', 'kind', 'at', 'body', 'leaf'] as const;
export const BLOB_COLUMNS = ['owner', 'hash', 'at', 'bytes'] as const;

/** One row to write or delete: its values, or its key's. */
interface Write {
  readonly table: string;
  readonly key: string;
  readonly values: readonly Value[];
}

/** A batch whose rows are checked. */
export interface Prepared {
  readonly batch: Batch;
  readonly puts: readonly Write[];
  readonly deletes: readonly Write[];
}

/** Throws where a row does not fit its table: that is a bug of the caller, and the batch is not written. */
export function prepare(batch: Batch): Prepared {
  return {
    batch,
    puts: (batch.puts ?? []).map(({ table, row }) => ({
      table: table.name,
      key: keyText(table.key.map((name) => row[name] as Value)),
      values: rowValues(table, row),
    })),
    deletes: (batch.deletes ?? []).map(({ table, key }) => ({
      table: table.name,
      key: keyText(wholeKey(table, key)),
      values: key,
    })),
  };
}

/** Values that JSON holds; most rows have no bytes. */
const plain = (values: readonly Value[]): readonly Written[] =>
  values.some((value) => value instanceof Uint8Array) ? values.map(written) : (values as readonly Written[]);

const written = (value: Value): Written =>
  value instanceof Uint8Array ? [Buffer.from(value).toString('base64')] : value;

/** The value that was written: bytes again where it was bytes. */
export const unwritten = (value: Written): Value =>
  Array.isArray(value)
    ? Buffer.from(value[0] as string, 'base64')
    : (value as Exclude<Written, readonly unknown[]>);

interface TableWrites {
  /** By key, the values of the row and of the key. */
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
  const entries: Value[][] = [];
  const blobs: Value[][] = [];
  const leaves: Uint8Array[] = [];
  const bodies: Uint8Array[] = [];
  const tables = new Map<string, TableWrites>();
  const of = (table: string): TableWrites => {
    const writes = tables.get(table) ?? { puts: new Map(), deletes: new Map() };
    tables.set(table, writes);
    return writes;
  };
  for (const { batch, puts, deletes } of batches) {
    for (const { log, seq, agent, n, call, kind, at, body, leaf } of batch.entries ?? []) {
      entries.push([log, seq, agent, n, call, kind, at, body, leaf.length]);
      leaves.push(leaf);
    }
    for (const { table, key, values } of puts) {
      const writes = of(table);
      if (writes.deletes.size > 0) writes.deletes.delete(key);
      writes.puts.set(key, values);
    }
    for (const { table, key, values } of deletes) {
      const writes = of(table);
      writes.puts.delete(key);
      writes.deletes.set(key, values);
    }
    for (const { owner, hash, at, bytes } of batch.blobs ?? []) {
      blobs.push([owner, hash, at, bytes.length]);
      bodies.push(bytes);
    }
  }
  // Written out only here: of a row that many batches change, once.
  const all = (kind: keyof TableWrites): Writes[] =>
    [...tables]
      .filter(([, writes]) => writes[kind].size > 0)
      .map(([table, writes]) => [table, [...writes[kind].values()].map(plain)]);
  const commit: Commit = {
    entries,
    puts: all('puts'),
    deletes: all('deletes'),
    blobs,
    erases,
    ...(drop ? { drop } : {}),
  };
  return { text: JSON.stringify(commit), bytes: join([...leaves, ...bodies]) };
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
