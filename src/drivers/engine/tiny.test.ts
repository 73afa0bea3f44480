import assert from 'node:assert/strict';
import test from 'node:test';
import { sha256Hex } from '../../base/hash.ts';
import { tinyGguf } from './tiny.ts';

test('the tiny model is the same bytes on every machine', () => {
  const file = tinyGguf();
  assert.equal(file.length, 434_912);
  assert.equal(sha256Hex(file), '6de5de925fa823440bb776a0059cbb65b9b99e94a0e4ec8c853e3709bc331d01');
});
