/** The tree of a log as it was at any size, from the tiles and what is left of the entries. */
import { TILE } from '../db/schema/journal.ts';
import type { Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';
import { MerkleTree, rootOf } from './merkle.ts';

const WIDTH = LIMITS.tileHashes.value;

/**
 * The tree over the first `size` entries. Reads at most one tile of each level: below a complete tile no entry is
 * needed, which is why the front of a log may go (the frontier of RFC 6962 section 2.1).
 * Undefined when a tile or an entry it needs is missing or has the wrong length.
 */
export async function treeAt(store: Store, size: number): Promise<MerkleTree | undefined> {
  const open: Buffer[][] = [];
  for (let level = 0, covers = 1; covers <= size; level++, covers *= WIDTH) {
    const total = Math.floor(size / covers);
    const count = total % WIDTH;
    const first = total - count;
    const hashes =
      level === 0 ? await leavesFrom(store, first, count) : await rootsFrom(store, level, first, count);
    if (hashes.length !== count) return undefined;
    open.push(hashes);
  }
  return MerkleTree.resume(size, open);
}

async function leavesFrom(store: Store, first: number, count: number): Promise<Buffer[]> {
  if (count === 0) return [];
  const tile = await store.get(TILE, [0, 0, first / WIDTH]);
  if (tile) return tile.hashes.length === WIDTH * 32 ? splitTile(tile.hashes).slice(0, count) : [];
  const rows = await store.entries({ log: 0, fromSeq: first, limit: count });
  return rows.map((row) => Buffer.from(row.leaf));
}

async function rootsFrom(store: Store, level: number, first: number, count: number): Promise<Buffer[]> {
  if (count === 0) return [];
  const tiles = await store.range(TILE, { prefix: [0, level - 1], from: first, limit: count });
  const dense = tiles.every(({ tile, hashes }, i) => tile === first + i && hashes.length === WIDTH * 32);
  return dense ? tiles.map((tile) => rootOf(splitTile(tile.hashes))) : [];
}

function splitTile(hashes: Uint8Array): Buffer[] {
  return Array.from({ length: WIDTH }, (_, i) => Buffer.from(hashes.subarray(i * 32, i * 32 + 32)));
}

/** The seq of the oldest entry that is left; 0 for an empty log. */
export async function firstSeq(store: Store): Promise<number> {
  const [first] = await store.entries({ log: 0, limit: 1 });
  return first?.seq ?? 0;
}
