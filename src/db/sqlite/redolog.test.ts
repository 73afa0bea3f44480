import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
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
    const { directory, log } = fresh(t, memory());
    const inFile = () => recordsAfter(readFileSync(join(directory, REDO)), EPOCH, 0);
    // Of a length that no block has, over the ends of several, and the last up to the end of a half.
    const texts = Array.from({ length: 40 }, (_, i) => `${i} ${'x'.repeat(700 + 13 * i)}`);
    for (const [i, text] of texts.entries()) {
      assert.ok(log.add(text, []));
      if (i % 2 === 0) await log.store();
      else log.storeNow();
      assert.equal(inFile().at(-1)?.text, text);
    }
    const room = HALF_BYTES - inFile().reduce((sum, { text }) => sum + 28 + text.length, 0);
    assert.ok(log.add('', [Buffer.alloc(room - 28, 1)]));
    assert.ok(!log.add('', []), 'this half is full to its last byte');
    await log.store();
    log.take();
    log.turn();
    assert.ok(log.add('the other half', []));
    log.storeNow();
    assert.deepEqual(
      inFile().map(({ text }) => text),
      [...texts, '', 'the other half'],
    );
    log.take();
    await log.wipe();
    assert.ok(readFileSync(join(directory, REDO)).every((byte) => byte === 0));
  });

test('nothing is added to a log that is being written', async (t) => {
  const { log } = fresh(t, newLogMemory());
  log.add('first', []);
  const stored = log.store();
  assert.throws(() => log.add('second', []), /while it is written/);
  await stored;
  assert.ok(log.add('second', []));
});

function fresh(t: TestContext, memory: SharedArrayBuffer) {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-redo-'));
  allocate(directory);
  const log = new RedoLog(directory, memory, EPOCH);
  t.after(() => {
    log.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { directory, log };
}
