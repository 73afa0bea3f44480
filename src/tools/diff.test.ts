import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tellDiff } from './diff.ts';
import { LIMITS } from './limits.ts';

/** How many lines two texts share in order, by dynamic programming. */
function shared(a: readonly string[], b: readonly string[]): number {
  let row = Array<number>(b.length + 1).fill(0);
  for (const text of a) {
    const next = [0];
    for (const [j, other] of b.entries())
      next.push(text === other ? (row[j] ?? 0) + 1 : Math.max(row[j + 1] ?? 0, next[j] ?? 0));
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Do these stand in the text, in this order? */
function isIn(lines: readonly string[], text: readonly string[]): boolean {
  let at = 0;
  return lines.every((line) => {
    at = text.indexOf(line, at) + 1;
    return at > 0;
  });
}

const line = fc.constantFrom('a', 'b', 'c', 'd');

test('a diff holds each line that went and came, in order, and no more of them than it must', () => {
  const property = fc.property(
    fc.array(line, { maxLength: 12 }),
    fc.array(line, { maxLength: 12 }),
    (old, now) => {
      const told = (tellDiff(Buffer.from(old.join('\n')), Buffer.from(now.join('\n'))) ?? '')
        .split('\n')
        .filter(Boolean);
      const count = (lines: readonly string[], mark: string, text: string) =>
        lines.filter((one) => one === mark + text).length;
      for (const text of ['a', 'b', 'c', 'd'])
        assert.equal(
          count(old, '', text) - count(told, '-', text) + count(told, '+', text),
          count(now, '', text),
          told.join('|'),
        );
      const marked = (marks: string) =>
        told.filter((one) => one !== ' ...' && marks.includes(one[0] ?? '-')).map((one) => one.slice(1));
      assert.ok(isIn(marked(' -'), old) && isIn(marked(' +'), now), told.join('|'));
      const [before, after] = [old, now].map((lines) => (lines.join('') === '' ? [] : lines)) as [
        string[],
        string[],
      ];
      assert.equal(marked('-+').length, before.length + after.length - 2 * shared(before, after));
    },
  );
  fc.assert(property);
});

test('it is bounded, and no text is no diff', () => {
  const many = Array.from({ length: 2000 }, (_, n) => `${n}`.padEnd(1000, '.')).join('\n');
  const told = tellDiff(Buffer.from(''), Buffer.from(many)) ?? '';
  assert.ok(told.length < (LIMITS.diffLines.value + 1) * (LIMITS.diffWidth.value + 2));
  assert.match(told, /\.\.\. and 1960 more lines$/);
  const turned = many.split('\n').reverse().join('\n');
  assert.match(tellDiff(Buffer.from(many), Buffer.from(turned)) ?? '', /^More than 1000 lines/);
  assert.equal(tellDiff(Buffer.from('a'), Buffer.from([0xff, 0xfe])), undefined);
  assert.equal(tellDiff(Buffer.from('a\0'), Buffer.from('b')), undefined);
});

test('of a long text with changes far from each other the changes are shown, and nothing else', () => {
  const old = Array.from({ length: 20_000 }, (_, n) => `line ${n}`);
  const now = old.with(1, 'first').with(10_000, 'middle').toSpliced(19_998, 1);
  const told = tellDiff(Buffer.from(old.join('\n')), Buffer.from(now.join('\n'))) ?? '';
  assert.deepEqual(
    told.split('\n').filter((one) => !one.startsWith(' ')),
    ['-line 1', '+first', '-line 10000', '+middle', '-line 19998'],
  );
});
