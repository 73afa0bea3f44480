import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tellDiff } from './diff.ts';
import { LIMITS } from './limits.ts';

const line = fc.constantFrom('a', 'b', 'c', 'd');

test('a diff holds each line that went and came, in order, and changes one text into the other', () => {
  const property = fc.property(
    fc.array(line, { maxLength: 12 }),
    fc.array(line, { maxLength: 12 }),
    (old, now) => {
      const told = (tellDiff(Buffer.from(old.join('\n')), Buffer.from(now.join('\n'))) ?? '').split('\n');
      const count = (lines: readonly string[], mark: string, text: string) =>
        lines.filter((one) => one === mark + text).length;
      for (const text of ['a', 'b', 'c', 'd'])
        assert.equal(
          count(old, '', text) - count(told, '-', text) + count(told, '+', text),
          count(now, '', text),
          told.join('|'),
        );
    },
  );
  fc.assert(property);
});

test('it is bounded, and no text is no diff', () => {
  const many = Array.from({ length: 2000 }, (_, n) => `${n}`.padEnd(1000, '.')).join('\n');
  const told = tellDiff(Buffer.from(''), Buffer.from(many)) ?? '';
  assert.ok(told.length < (LIMITS.diffLines.value + 1) * (LIMITS.diffWidth.value + 2));
  assert.match(told, /\.\.\. and 1961 more lines$/);
  assert.equal(tellDiff(Buffer.from('a'), Buffer.from([0xff, 0xfe])), undefined);
  assert.equal(tellDiff(Buffer.from('a\0'), Buffer.from('b')), undefined);
});
