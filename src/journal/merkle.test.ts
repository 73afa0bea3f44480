import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../base/random.ts';
import { commitUnder, newSalt } from './commitment.ts';
import {
  EMPTY_ROOT,
  inclusionProof,
  leafHash,
  MerkleTree,
  nodeHash,
  rootOf,
  verifyInclusion,
} from './merkle.ts';

// The inputs and roots that Certificate Transparency's own tests use.
const INPUTS = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const leaves = (count: number) => Array.from({ length: count }, (_, i) => leafHash(`entry ${i}`));
function naive(list: readonly Buffer[]): Buffer {
  if (list.length === 0) return EMPTY_ROOT;
  if (list.length === 1) return list[0] as Buffer;
  const k = 2 ** Math.floor(Math.log2(list.length - 1));
  return nodeHash(naive(list.slice(0, k)), naive(list.slice(k)));
}

test('roots are those of the published vectors', () => {
  const tree = new MerkleTree();
  assert.equal(
    tree.root().toString('hex'),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
  INPUTS.forEach((input, i) => {
    tree.append(leafHash(Buffer.from(input, 'hex')));
    assert.equal(tree.root().toString('hex'), ROOTS[i]);
  });
});

test('any size: root equals the recursive definition, every inclusion proof verifies and a changed one does not', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 600 }), fc.nat(), (size, pick) => {
      const list = leaves(size);
      const tree = new MerkleTree();
      for (const leaf of list) tree.append(leaf);
      assert.deepEqual(tree.root(), naive(list));
      assert.deepEqual(rootOf(list), naive(list));
      const index = pick % size;
      const proof = inclusionProof(index, list);
      const leaf = list[index] as Buffer;
      assert.ok(verifyInclusion(index, size, leaf, proof, tree.root()));
      assert.ok(!verifyInclusion(index, size, leafHash(leaf), proof, tree.root()));
      assert.ok(!verifyInclusion(index, size, leaf, [...proof, leaf], tree.root()));
    }),
    { numRuns: 40 },
  );
});

test('a tile is given once, when complete, at each level', () => {
  const list = leaves(65_536);
  const tree = new MerkleTree();
  const tiles = list.flatMap((leaf) => tree.append(leaf));
  assert.equal(tiles.length, 257);
  assert.deepEqual(tiles[0], { level: 0, index: 0, hashes: Buffer.concat(list.slice(0, 256)) });
  assert.deepEqual(tiles[255]?.index, 255);
  const top = tiles[256];
  assert.ok(top?.level === 1 && top.index === 0);
  assert.deepEqual(Buffer.from(top.hashes.subarray(0, 32)), rootOf(list.slice(0, 256)));
});

test('a commitment depends on the salt', () => {
  const random = seededRandom(1);
  const salt = newSalt(random);
  assert.equal(commitUnder(salt)('x'), commitUnder(salt)('x'));
  assert.notEqual(commitUnder(salt)('x'), commitUnder(newSalt(random))('x'));
});
