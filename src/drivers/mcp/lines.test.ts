import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lines } from './lines.ts';

test('lines are the same whatever the pieces they come in', () => {
  const text = 'one\n\ntwo, längere\nthree';
  for (let size = 1; size <= text.length; size++) {
    const lines = new Lines();
    const read: string[] = [];
    for (let at = 0; at < text.length; at += size) read.push(...lines.push(text.slice(at, at + size)));
    assert.deepEqual(read, ['one', '', 'two, längere']);
    assert.equal(lines.rest, 'three'.length);
  }
});

test('a line of many pieces costs about as much as the same text in short lines', () => {
  const cpuOf = (piece: string): number => {
    const lines = new Lines();
    const before = process.cpuUsage();
    for (let n = 0; n < 400; n++) lines.push(piece);
    lines.push('\n');
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  const short = `${'x'.repeat(65_535)}\n`;
  cpuOf(short);
  // Joined anew with each piece, it is 200 times as much.
  const [shorter, longer] = [cpuOf(short), cpuOf('x'.repeat(65_536))];
  assert.ok(longer < 20 * (shorter + 5000), `${longer} us for one line, ${shorter} us for 400`);
});
