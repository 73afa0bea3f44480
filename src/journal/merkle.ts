/**
 * The Merkle tree over a log's entries, hashed as RFC 6962 section 2.1 says. Invariant: an append costs the same at
 * any size, reads nothing, and gives a tile only when its 256 hashes are complete. Knows no entry and no store.
 */
import { assert } from '../base/assert.ts';
import { sha256 } from '../base/hash.ts';
import { LIMITS } from './limits.ts';

const WIDTH = LIMITS.tileHashes.value;
const LEAF = Buffer.of(0);
const LEVELS_PER_TILE = Math.log2(WIDTH);
/** 1, the left hash, the right hash: written over for every node, since hashing is all that is done with it. */
const node = Buffer.alloc(65, 1);

export interface Tile {
  /** A hash at level L covers 256^L leaves. */
  readonly level: number;
  readonly index: number;
  readonly hashes: Uint8Array;
}

export const leafHash = (entry: Uint8Array | string): Buffer =>
  sha256(typeof entry === 'string' ? `\0${entry}` : Buffer.concat([LEAF, entry]));
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  node.set(left, 1);
  node.set(right, 33);
  return sha256(node);
}
export const EMPTY_ROOT: Buffer = sha256('');

/** Largest power of two below `size` (size >= 2). No bit operators: sizes may pass 2^31. */
function split(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

export class MerkleTree {
  #size = 0;
  /** Roots of the complete subtrees, largest first. */
  #stack: Buffer[] = [];
  /** Per tile level, the hashes of the tile that is not complete yet. */
  #open: Buffer[][] = [];

  get size(): number {
    return this.#size;
  }

  /** Adds one leaf hash; gives the tiles it completed, lowest level first. */
  append(leaf: Buffer): Tile[] {
    let hash = leaf;
    /** Roots of the tiles that this leaf completes, lowest level first. */
    const roots: Buffer[] = [];
    for (let n = this.#size, height = 1; n % 2 === 1; n = Math.floor(n / 2), height++) {
      const left = this.#stack.pop();
      assert(left, 'a subtree root is missing');
      hash = nodeHash(left, hash);
      if (height % LEVELS_PER_TILE === 0) roots.push(hash);
    }
    this.#stack.push(hash);
    this.#size += 1;
    return this.#fill(leaf, roots);
  }

  /** The tree of `size` leaves whose incomplete tiles hold these hashes, by level from 0. */
  static resume(size: number, open: readonly (readonly Buffer[])[]): MerkleTree {
    const tree = new MerkleTree();
    tree.#size = size;
    tree.#open = open.map((hashes) => [...hashes]);
    for (let level = open.length - 1; level >= 0; level--) {
      const hashes = open[level] as readonly Buffer[];
      assert(hashes.length === Math.floor(size / WIDTH ** level) % WIDTH, `level ${level} has a gap`);
      for (let at = 0, part = WIDTH / 2; part >= 1; part /= 2) {
        if (hashes.length - at < part) continue;
        tree.#stack.push(rootOf(hashes.slice(at, at + part)));
        at += part;
      }
    }
    return tree;
  }

  #fill(leaf: Buffer, roots: readonly Buffer[]): Tile[] {
    const done: Tile[] = [];
    let hash = leaf;
    let count = this.#size;
    for (let level = 0; ; level++) {
      const open = this.#open[level] ?? [];
      this.#open[level] = open;
      open.push(hash);
      if (open.length < WIDTH) return done;
      count /= WIDTH;
      done.push({ level, index: count - 1, hashes: Buffer.concat(open) });
      hash = roots[level] as Buffer;
      this.#open[level] = [];
    }
  }

  root(): Buffer {
    let root = this.#stack.at(-1);
    if (!root) return EMPTY_ROOT;
    for (let i = this.#stack.length - 2; i >= 0; i--) root = nodeHash(this.#stack[i] as Buffer, root);
    return root;
  }
}

/** MTH of a list of leaf hashes. */
export function rootOf(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return EMPTY_ROOT;
  let level = [...leaves];
  while (level.length > 1) {
    const next: Buffer[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] as Buffer;
      const right = level[i + 1];
      next.push(right ? nodeHash(left, right) : left);
    }
    level = next;
  }
  return level[0] as Buffer;
}

/** PATH(m, D[n]) of RFC 9162 section 2.1.3.1. */
export function inclusionProof(index: number, leaves: readonly Buffer[]): Buffer[] {
  assert(index >= 0 && index < leaves.length, 'the leaf is not in the tree');
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  const left = leaves.slice(0, k);
  const right = leaves.slice(k);
  return index < k
    ? [...inclusionProof(index, left), rootOf(right)]
    : [...inclusionProof(index - k, right), rootOf(left)];
}

/** The root that the proof leads to, or undefined if its length is wrong. */
function climb(index: number, size: number, leaf: Buffer, proof: readonly Buffer[]): Buffer | undefined {
  if (size === 1) return proof.length === 0 ? leaf : undefined;
  const last = proof.at(-1);
  if (!last) return undefined;
  const k = split(size);
  const inLeft = index < k;
  const below = climb(inLeft ? index : index - k, inLeft ? k : size - k, leaf, proof.slice(0, -1));
  return below && (inLeft ? nodeHash(below, last) : nodeHash(last, below));
}

export function verifyInclusion(
  index: number,
  size: number,
  leaf: Buffer,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  if (index < 0 || index >= size) return false;
  return climb(index, size, leaf, proof)?.equals(root) ?? false;
}
