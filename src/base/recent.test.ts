import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import fc from 'fast-check';
import { Recent } from './recent.ts';

describe('a bounded memory', () => {
  test('keeps what was used last, within its bound, whatever is done to it', () => {
    const step = fc.record({
      do: fc.constantFrom('get', 'set', 'delete'),
      key: fc.integer({ min: 0, max: 30 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 16 }), fc.array(step, { maxLength: 200 }), (limit, steps) => {
        const recent = new Recent<number, number>(limit);
        // Every value that is in force, least recently used first.
        const model = new Map<number, number>();
        for (const [at, { do: what, key }] of steps.entries()) {
          if (what === 'delete') {
            recent.delete(key);
            model.delete(key);
          } else if (what === 'set') {
            recent.set(key, at);
            model.delete(key);
            model.set(key, at);
          } else {
            const found = recent.get(key);
            if (found !== undefined) {
              assert.equal(found, model.get(key), 'never a value of before');
              model.delete(key);
              model.set(key, found);
            } else model.delete(key);
          }
          const kept = [...model.keys()].filter((known) => recent.has(known));
          assert.ok(kept.length <= limit);
          const newest = [...model.keys()].slice(-Math.floor(limit / 2));
          assert.ok(newest.every((known) => recent.has(known)));
        }
      }),
      { numRuns: 300 },
    );
  });
});
