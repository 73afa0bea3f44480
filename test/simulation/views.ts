/**
 * What the store was told and what it holds, as the oracle sees it: three folds of the same batches. `queued` has
 * everything the kernel handed over in this life, `durable` what is on the disk, `known` what the kernel was told is.
 */
import type { JsonRecord } from '../../src/base/json.ts';
import type { Batch, EntryRow, Row, Table } from '../../src/db/store.ts';

export interface Entry {
  readonly seq: number;
  readonly n: number;
  readonly agent: number;
  readonly call: string | null;
  readonly kind: string;
  readonly at: number;
  readonly body: JsonRecord;
}

export class View {
  readonly entries: Entry[] = [];
  readonly #tables = new Map<string, Map<string, Row>>();

  copy(): View {
    const copy = new View();
    copy.entries.push(...this.entries);
    for (const [name, rows] of this.#tables) copy.#tables.set(name, new Map(rows));
    return copy;
  }

  apply(batch: Batch, entries: readonly Entry[]): void {
    this.entries.push(...entries);
    for (const { table, row } of batch.puts ?? []) {
      this.#of(table).set(table.key.map((column) => row[column]).join(), row);
    }
    for (const { table, key } of batch.deletes ?? []) this.#of(table).delete(key.join());
  }

  get<R extends Row>(table: Table<R>, ...key: readonly (string | number)[]): R | undefined {
    return this.#of(table).get(key.join()) as R | undefined;
  }

  all<R extends Row>(table: Table<R>): R[] {
    return [...this.#of(table).values()] as R[];
  }

  #of(table: Table): Map<string, Row> {
    const rows = this.#tables.get(table.name) ?? new Map<string, Row>();
    this.#tables.set(table.name, rows);
    return rows;
  }
}

/** One batch on its way to the disk. */
export interface Write {
  readonly batch: Batch;
  readonly entries: readonly Entry[];
}

export class Views {
  queued = new View();
  durable = new View();
  known = new View();
  /** Handed over, and the kernel does not know yet how it went. */
  readonly pending = new Set<Write>();

  queue(batch: Batch): Write {
    const write = { batch, entries: (batch.entries ?? []).map(readEntry) };
    this.queued.apply(batch, write.entries);
    this.pending.add(write);
    return write;
  }

  /** It is on the disk, whether anybody knows or not. */
  reach(batch: Batch): void {
    for (const write of this.pending) if (write.batch === batch) this.durable.apply(batch, write.entries);
  }

  tell(write: Write): void {
    this.known.apply(write.batch, write.entries);
    this.pending.delete(write);
  }

  /** The kernel died: all that counts now is what is on the disk. */
  crash(): void {
    this.queued = this.durable.copy();
    this.known = this.durable.copy();
    this.pending.clear();
  }

  /** A row as the kernel knows that it is stored, and all it may have become since. */
  versions<R extends Row>(table: Table<R>, key: string | number): R[] {
    const known = this.known.get(table, key);
    const later = [...this.pending].flatMap(({ batch }) =>
      (batch.puts ?? []).filter(
        (put) => put.table.name === table.name && put.row[table.key[0] as string] === key,
      ),
    );
    return [...(known ? [known] : []), ...later.map(({ row }) => row as R)];
  }

  isPending(call: string): boolean {
    for (const { entries } of this.pending) if (entries.some((entry) => entry.call === call)) return true;
    return false;
  }
}

const readEntry = (row: EntryRow): Entry => ({ ...row, body: JSON.parse(row.body) as JsonRecord });
