/**
 * Batches on their way to the database. A record of the redo log holds one as JSON and one piece of memory; the writer
 * takes many at once and makes of several writes to one row only the last. They become visible together, so nobody can
 * tell a row that was written twice from one that was written once.
 */
import { readOnce } from '../../base/once.ts';
import { rowValues, wholeKey } from '../rows.ts';
import type { Batch, Table, Value } from '../store.ts';

/** What has to be known of a table to read its rows in a `Commit`. */
export interface Shape {
  readonly name: string;
  readonly columns: readonly { readonly name: string }[];
  readonly key: readonly string[];
}

/** One batch. Rows are lists of values in the order of their columns. */
export interface Commit {
  /** In the place of its last column, which is bytes, a row has their length. */
  readonly entries: readonly (readonly Value[])[];
  readonly puts: readonly Write[];
  /** The values are the key's. */
  readonly deletes: readonly Write[];
  /** As the entries. */
  readonly blobs: readonly (readonly Value[])[];
  readonly erases?: Batch['erases'];
  readonly drop?: Batch['drop'];
}
/** Bytes stand as a list of one text, in base64: they are rare in rows. */
type Written = string | number | null | readonly [base64: string];
type Write = readonly [table: string, values: readonly Written[]];

export const ENTRY_COLUMNS = ['log', 'seq', 'agent', 'n', 'call', 'kind', 'at', 'body', 'leaf'] as const;
export const BLOB_COLUMNS = ['owner', 'hash', 'at', 'bytes'] as const;

/** A batch whose rows are checked. */
export interface Prepared {
  /** A `Commit` as JSON. */
  readonly text: string;
  /** The bytes of its entries and of its blobs. */
  readonly pieces: readonly Uint8Array[];
  /** Where it writes, and `entry` and `blob` where those. */
  readonly tables: ReadonlySet<string>;
}

/** Throws where a row does not fit its table: that is a bug of the caller, and the batch is not written. */
export function prepare({
  entries = [],
  puts = [],
  deletes = [],
  blobs = [],
  erases,
  drop,
}: Batch): Prepared {
  const tables = new Set<string>();
  if (entries.length > 0 || drop) tables.add('entry');
  if (blobs.length > 0 || erases) tables.add('blob');
  const commit: Commit = {
    entries: entries.map(({ log, seq, agent, n, call, kind, at, body, leaf }) => [
      log,
      seq,
      agent,
      n,
      call,
      kind,
      at,
      body,
      leaf.length,
    ]),
    puts: puts.map(({ table, row }) => {
      tables.add(table.name);
      return [table.name, plain(table, rowValues(table, row))];
    }),
    deletes: deletes.map(({ table, key }) => {
      tables.add(table.name);
      return [table.name, plain(table, wholeKey(table, key))];
    }),
    blobs: blobs.map(({ owner, hash, at, bytes }) => [owner, hash, at, bytes.length]),
    erases,
    drop,
  };
  const pieces = [...entries.map(({ leaf }) => leaf), ...blobs.map(({ bytes }) => bytes)];
  return { text: JSON.stringify(commit), pieces, tables };
}

/** Values that JSON holds; most tables have no bytes. */
const plain = (table: Table, values: readonly Value[]): readonly Written[] =>
  hasBytes(table) ? values.map(written) : (values as readonly Written[]);

const hasBytes = readOnce(({ columns }: Table): boolean => columns.some(({ type }) => type === 'bytes'));

const written = (value: Value): Written =>
  value instanceof Uint8Array ? [Buffer.from(value).toString('base64')] : value;

/** The value that was written: bytes again where it was bytes. */
export const unwritten = (value: Written): Value =>
  Array.isArray(value)
    ? Buffer.from(value[0] as string, 'base64')
    : (value as Exclude<Written, readonly unknown[]>);

interface WithBytes {
  readonly values: readonly Value[];
  readonly bytes: Uint8Array;
}

/** The values of a row, or of the key of one that goes. */
interface RowWrite {
  readonly isPut: boolean;
  readonly values: readonly Written[];
}

/** What goes to the database together. */
export interface Group {
  readonly entries: readonly WithBytes[];
  /** By table and key, the last write. */
  readonly writes: ReadonlyMap<string, ReadonlyMap<string, RowWrite>>;
  readonly blobs: readonly WithBytes[];
  readonly erases: NonNullable<Batch['erases']>;
  readonly drop: Batch['drop'];
}

interface Sent {
  readonly commit: Commit;
  readonly bytes: Uint8Array;
}

/** In the order of the calls. What erases is the last of its group: a later batch may write the same blob again. */
export function merge(sent: readonly Sent[], tables: readonly Shape[]): Group[] {
  const keys = new Map(tables.map((table) => [table.name, keyColumns(table)]));
  const groups: Group[] = [];
  let from = 0;
  sent.forEach(({ commit }, at) => {
    if (at < sent.length - 1 && !commit.erases && !commit.drop) return;
    groups.push(mergeGroup(sent.slice(from, at + 1), commit, keys));
    from = at + 1;
  });
  return groups;
}

function mergeGroup(
  sent: readonly Sent[],
  { erases = [], drop }: Commit,
  keys: ReadonlyMap<string, readonly number[]>,
): Group {
  const entries: WithBytes[] = [];
  const blobs: WithBytes[] = [];
  const writes = new Map<string, Map<string, RowWrite>>();
  const of = (table: string): Map<string, RowWrite> => {
    const rows = writes.get(table) ?? new Map<string, RowWrite>();
    writes.set(table, rows);
    return rows;
  };
  for (const { commit, bytes } of sent) {
    let end = 0;
    const cut = (row: readonly Value[]): WithBytes => {
      const start = end;
      end += row.at(-1) as number;
      return { values: row.slice(0, -1), bytes: bytes.subarray(start, end) };
    };
    for (const row of commit.entries) entries.push(cut(row));
    for (const [table, values] of commit.puts) {
      const key = (keys.get(table) ?? []).map((column) => values[column] as Written);
      of(table).set(keyText(key), { isPut: true, values });
    }
    for (const [table, key] of commit.deletes) of(table).set(keyText(key), { isPut: false, values: key });
    for (const row of commit.blobs) blobs.push(cut(row));
  }
  return { entries, writes, blobs, erases, drop };
}

const keyColumns = ({ columns, key }: Shape): number[] =>
  key.map((name) => columns.findIndex((column) => column.name === name));

/** One text per key: of equal length or not, no two keys of a table share one. */
function keyText(key: readonly Written[]): string {
  if (key.length === 1) return String(key[0]);
  let text = '';
  for (const value of key) {
    const part = String(value);
    text += `${part.length}:${part}`;
  }
  return text;
}
