import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { overlaps } from './effects.ts';
import { KeyTree } from './keytree.ts';

const key = fc
  .record({
    kind: fc.constantFrom('file:', 'url:http:/', 'server:box'),
    path: fc.array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 4 }),
  })
  .map(({ kind, path }) => (kind === 'file:' && path.length === 0 ? 'file:/' : [kind, ...path].join('/')));

test('what is below a key is what comparing it with all keys would find, whatever came and went before', () => {
  const steps = fc.array(fc.record({ key, isAdded: fc.boolean() }), { maxLength: 60 });
  const property = fc.property(steps, key, (script, asked) => {
    const tree = new KeyTree();
    const all = new Set<string>();
    for (const { key: one, isAdded } of script) {
      if (isAdded) {
        tree.add(one);
        all.add(one);
      } else if (all.delete(one)) tree.delete(one);
    }
    const expected = [...all].filter((one) => one.length >= asked.length && overlaps(one, asked));
    assert.deepEqual(tree.below(asked).sort(), expected.sort());
    for (const one of all) tree.delete(one);
    for (const root of ['file:/', 'url:http:', 'server:box']) assert.deepEqual(tree.below(root), []);
  });
  fc.assert(property, { numRuns: 500 });
});
