/** Cached reads of resources, in virtual time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../base/clock.ts';
import { Reads } from './reads.ts';

const result = (more: object) => ({ contents: [{ uri: 'a', text: 'one' }], ...more });

test('a read is kept for as long as its server says, and what is left of that is told', () => {
  const clock = new VirtualClock(1000);
  const reads = new Reads(clock);
  const keep = reads.reading('a', 'ann');
  clock.advanceTo(1010);
  keep(result({ ttlMs: 100, cacheScope: 'private' }));
  assert.deepEqual(reads.find('a', 'ann'), result({ ttlMs: 90, cacheScope: 'private' }));
  clock.advanceTo(1100);
  assert.equal(reads.find('a', 'ann'), undefined);
});

test('what a server does not call public is given to nobody else', () => {
  const reads = new Reads(new VirtualClock(1000));
  reads.reading('a', 'ann')(result({ ttlMs: 100 }));
  reads.reading('b', 'ann')(result({ ttlMs: 100, cacheScope: 'public' }));
  assert.equal(reads.find('a', 'bob'), undefined);
  assert.ok(reads.find('a', 'ann'));
  assert.ok(reads.find('b', 'bob'));
});

test('nothing is kept of a read that a change overtook, that is a question, or that nobody may keep', () => {
  const reads = new Reads(new VirtualClock(1000));
  const keep = reads.reading('a', 'ann');
  reads.drop();
  keep(result({ ttlMs: 100 }));
  for (const more of [{}, { ttlMs: 0 }, { ttlMs: 100, resultType: 'input_required' }])
    reads.reading('a', 'ann')(result(more));
  assert.equal(reads.find('a', 'ann'), undefined);
  reads.reading('a', 'ann')(result({ ttlMs: 100 }));
  reads.drop();
  assert.equal(reads.find('a', 'ann'), undefined);
});
