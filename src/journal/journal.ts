/**
 * The journal is the only writer of entries. Invariant: seq and each agent's n are dense, batches reach the store in
 * the order of `append`, and after one failed commit nothing is accepted. It must not know what an entry means.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { JsonRecord } from '../base/json.ts';
import { ORDER, TILE } from '../db/schema/journal.ts';
import { type Batch, type EntryRow, type Row, type Store, StoreError, type Table } from '../db/store.ts';
import { LIMITS } from './limits.ts';
import { leafHash, type MerkleTree } from './merkle.ts';
import { treeAt } from './tree.ts';

export type EntryKind =
  | `agent.${'open' | 'set' | 'close'}`
  | `call.${'start' | 'end' | 'note' | 'refuse'}`
  | `approval.${'open' | 'close'}`
  | 'snapshot'
  | 'config'
  | 'erase'
  | 'prune'
  | 'checkpoint';

export interface EntryDraft {
  readonly kind: EntryKind;
  /** Pid, or 0 for the kernel itself. */
  readonly agent: number;
  readonly call?: string;
  /** When it happened, where a state row carries the same instant; the journal's clock otherwise. */
  readonly at?: number;
  /** Codes, numbers, ids and commitments: never content. */
  readonly body: JsonRecord;
}

export interface Journal {
  readonly size: number;
  root(): Buffer;
  /** Resolves with the seq of the first entry when all is durable; rejects for good after a failed commit. */
  append(
    what: Pick<Batch, 'puts' | 'deletes' | 'blobs' | 'erases' | 'drop' | 'canWait' | 'isAlone'> & {
      readonly entries: readonly EntryDraft[];
    },
  ): Promise<{ seq: number }>;
  /** Writes an entry that holds the size and root of the tree before it. */
  checkpoint(): Promise<{ seq: number }>;
}

/** The leaf of an entry: every column but the leaf itself is under it. */
export const leafOf = (row: Omit<EntryRow, 'leaf'>): Buffer =>
  leafHash(JSON.stringify([row.log, row.seq, row.agent, row.n, row.call, row.kind, row.at, row.body]));

/** Throws StoreError `corrupt` when the tree cannot be continued. */
export async function openJournal(from: { readonly store: Store; readonly clock: Clock }): Promise<Journal> {
  const [last] = await from.store.entries({ log: 0, reverse: true, limit: 1 });
  const tree = await treeAt(from.store, last ? last.seq + 1 : 0);
  if (!tree)
    throw new StoreError(
      'corrupt',
      'the Merkle tree of the journal has holes: rows of mezz.db were changed or lost',
      'mezz restore <backup> puts a good copy in its place',
    );
  return new Writer(from.store, from.clock, tree, await readOrders(from.store, tree.size));
}

/** The number of each agent's last entry: rows say it as of the last complete tile, entries since then. */
async function readOrders(store: Store, size: number): Promise<Orders> {
  const last = new Map<number, number>();
  const limit = LIMITS.page.value;
  for (let from = 0; ; ) {
    const rows = await store.range(ORDER, { from, limit });
    for (const row of rows) last.set(row.agent, row.n);
    if (rows.length < limit) break;
    from = (rows.at(-1)?.agent ?? 0) + 1;
  }
  const open = size % LIMITS.tileHashes.value;
  const entries = await store.entries({ log: 0, fromSeq: size - open, limit: open + 1 });
  for (const { agent, n } of entries) last.set(agent, n);
  return { last, changed: new Set(entries.map(({ agent }) => agent)) };
}

interface Orders {
  readonly last: Map<number, number>;
  /** Agents whose row is not written yet: they have entries since the last complete tile. */
  readonly changed: Set<number>;
}

class Writer implements Journal {
  #store: Store;
  #clock: Clock;
  #tree: MerkleTree;
  readonly #orders: Orders;
  #failed: unknown;

  constructor(store: Store, clock: Clock, tree: MerkleTree, orders: Orders) {
    this.#store = store;
    this.#clock = clock;
    this.#tree = tree;
    this.#orders = orders;
  }

  get size(): number {
    return this.#tree.size;
  }

  root(): Buffer {
    return this.#tree.root();
  }

  checkpoint(): Promise<{ seq: number }> {
    const body = { size: this.size, root: this.root().toString('hex') };
    return this.append({ entries: [{ kind: 'checkpoint', agent: 0, body }] });
  }

  // Everything up to `commit` runs in one go: that is what keeps seq dense and batches in order.
  async append(what: Parameters<Journal['append']>[0]): Promise<{ seq: number }> {
    if (this.#failed !== undefined) throw this.#failed;
    const bodies = what.entries.map((draft) => encodeBody(draft.body));
    const seq = this.#tree.size;
    const now = this.#clock.now();
    const puts = [...(what.puts ?? [])];
    const { last, changed } = this.#orders;
    const entries = what.entries.map((draft, i): EntryRow => {
      const { agent, kind, call = null, at = now } = draft;
      const n = (last.get(agent) ?? -1) + 1;
      last.set(agent, n);
      changed.add(agent);
      const row = { log: 0, seq: seq + i, agent, n, call, kind, at, body: bodies[i] as string };
      const leaf = leafOf(row);
      for (const { level, index, hashes } of this.#tree.append(leaf)) {
        puts.push(put(TILE, { log: 0, level, tile: index, hashes }));
        if (level === 0) puts.push(...this.#takeOrders());
      }
      return { ...row, leaf };
    });
    try {
      await this.#store.commit({ ...what, entries, puts });
    } catch (error) {
      this.#failed ??= error;
      throw error;
    }
    return { seq };
  }

  /** Not with every entry: what came since is read at the start, from the entries of the tile that is not complete. */
  #takeOrders(): ReturnType<typeof put>[] {
    const { last, changed } = this.#orders;
    const puts = [...changed].map((agent) => put(ORDER, { agent, n: last.get(agent) ?? 0 }));
    changed.clear();
    return puts;
  }
}

// A batch holds rows of many types; here the row is still held to its own table's.
const put = <R extends Row>(table: Table<R>, row: R) => ({ table: table as unknown as Table, row });

function encodeBody(body: JsonRecord): string {
  const text = JSON.stringify(body);
  assert(Buffer.byteLength(text) <= LIMITS.entryBytes.value, 'an entry body is too large');
  return text;
}
