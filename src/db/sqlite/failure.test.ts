import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storeError } from './failure.ts';

test('a file operation that fails is told as SQLite tells the same', () => {
  for (const [code, errcode, said] of [
    ['ENOSPC', 13, 'full'],
    ['EDQUOT', 13, 'full'],
    ['EROFS', 8, 'readonly'],
    ['EIO', 10, 'failed'],
  ] as const) {
    const ofFile = storeError(Object.assign(new Error('why'), { code }));
    const ofSqlite = storeError(Object.assign(new Error('why'), { errcode }));
    assert.deepEqual({ ...ofFile, message: ofFile.message }, { ...ofSqlite, message: ofSqlite.message });
    assert.equal(ofFile.code, said);
  }
});
