import assert from 'node:assert/strict';
import test from 'node:test';
import { sha256Hex } from '../../base/hash.ts';
import { tinyGguf } from './tiny.ts';

test('the tiny model is the same bytes on every machine', () => {
  const file = tinyGguf();
  assert.equal(file.length, 434_912);
  assert.equal(sha256Hex(file), 'd1a32ca911c3bf99680eb0ad4ecf2003efa71b91df9a250c2cdaa1e9f129d6ae');
});
