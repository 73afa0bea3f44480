import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HALF_BYTES, REDO_BYTES, recordBytes, recordsAfter, writeRecord } from './redo.ts';

const EPOCH = 7;
const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 3 });
const batches = fc.array(fc.record({ text: fc.string({ unit: 'grapheme' }), pieces }), {
  minLength: 1,
  maxLength: 8,
});

/** A log with these batches from `at` on; numbers follow `after`. Gives where each begins, and where the last ends. */
function fill(log: Buffer, work: readonly Batch[], { at = 0, after = 0, epoch = EPOCH } = {}): number[] {
  const ends = [at];
  for (const [i, batch] of work.entries()) {
    const from = ends.at(-1) as number;
    const end = writeRecord(log, from, { epoch, number: after + i + 1 }, batch.text, batch.pieces);
    assert.equal(end - from, recordBytes(batch.text, batch.pieces));
    ends.push(end);
  }
  return ends;
}
interface Batch {
  readonly text: string;
  readonly pieces: readonly Uint8Array[];
}
const texts = (records: readonly { text: string }[]) => records.map(({ text }) => text);

test('records come back as they were; one that is changed anywhere ends the log before it', () => {
  fc.assert(
    fc.property(batches, fc.nat(), fc.integer({ min: 1, max: 255 }), (work, where, change) => {
      const log = Buffer.alloc(REDO_BYTES);
      const ends = fill(log, work);
      const whole = recordsAfter(log, EPOCH, 0);
      assert.deepEqual(texts(whole), texts(work));
      for (const [i, { bytes }] of whole.entries())
        assert.deepEqual(Buffer.from(bytes), Buffer.concat((work[i] as Batch).pieces));
      const at = where % (ends.at(-1) as number);
      log[at] = (log[at] as number) ^ change;
      const left = ends.findLastIndex((end) => end <= at);
      assert.deepEqual(texts(recordsAfter(log, EPOCH, 0)), texts(work.slice(0, left)));
    }),
    { seed: 20261126 },
  );
});

test('what the database holds already, what is of another epoch and what a half held before is left out', () => {
  const log = Buffer.alloc(REDO_BYTES);
  const batch = (text: string): Batch => ({ text, pieces: [] });
  fill(log, ['1', '2', '3'].map(batch));
  fill(log, ['4', '5'].map(batch), { at: HALF_BYTES, after: 3 });
  assert.deepEqual(texts(recordsAfter(log, EPOCH, 1)), ['2', '3', '4', '5']);
  assert.deepEqual(texts(recordsAfter(log, EPOCH, 5)), []);
  assert.deepEqual(texts(recordsAfter(log, EPOCH + 1, 0)), []);
  // The first half is begun again: 2 and 3 still lie behind 6, whole.
  fill(log, [batch('6')], { after: 5 });
  assert.deepEqual(texts(recordsAfter(log, EPOCH, 3)), ['4', '5', '6']);
  // Without what leads up to it nothing can be put into the database: 4 and 5 were never in it.
  log.fill(0, HALF_BYTES);
  assert.deepEqual(texts(recordsAfter(log, EPOCH, 3)), []);
  // A batch too large for the log went its own way between two records.
  fill(log, [batch('8')], { after: 7 });
  assert.deepEqual(texts(recordsAfter(log, EPOCH, 7)), ['8']);
});
