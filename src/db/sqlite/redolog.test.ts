import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HALF_BYTES, newLogMemory, REDO, REDO_BYTES, recordsAfter } from './redo.ts';
import { RedoLog } from './redolog.ts';
import { allocate } from './replay.ts';

const EPOCH = 7;
/** Where the allocator puts it, which is no place that a disk takes anything from directly. */
const crooked = () => new SharedArrayBuffer(REDO_BYTES);

for (const [how, memory] of [
  ['past the cache of the system, where its memory begins at a page', newLogMemory],
  ['through the cache, where it does not', crooked],
] as const)
  test(`what was stored is in the file, ${how}`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'mezz-redo-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    allocate(directory);
    const log = new RedoLog(directory, memory(), EPOCH);
    const inFile = () => recordsAfter(readFileSync(join(directory, REDO)), EPOCH, 0);
    // Of a length that no block has, over the ends of several, and the last up to the end of a half.
    const texts = Array.from({ length: 40 }, (_, i) => `${i} ${'x'.repeat(700 + 13 * i)}`);
    for (const text of texts) {
      assert.ok(log.add(text, []));
      await log.store();
      assert.equal(inFile().at(-1)?.text, text);
    }
    const room = HALF_BYTES - inFile().reduce((sum, { text }) => sum + 28 + text.length, 0);
    assert.ok(log.add('', [Buffer.alloc(room - 28, 1)]));
    assert.ok(!log.add('', []), 'this half is full to its last byte');
    await log.store();
    log.take();
    log.turn();
    assert.ok(log.add('the other half', []));
    await log.store();
    assert.deepEqual(
      inFile().map(({ text }) => text),
      [...texts, '', 'the other half'],
    );
    log.take();
    await log.wipe();
    log.close();
    assert.ok(readFileSync(join(directory, REDO)).every((byte) => byte === 0));
  });
