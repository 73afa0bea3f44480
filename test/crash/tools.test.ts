/** A few kills of a kernel whose agents call tools; test/long does many. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killToolKernels } from '../killing-tools.ts';

test('kill -9 while tools run: no unsafe effect happens twice, none that was acknowledged is lost, what was cut is answered', async () => {
  const { repeated, lost, problems, resent, answered } = await killToolKernels(6, 1);
  assert.deepEqual(problems, []);
  assert.deepEqual(repeated, []);
  assert.deepEqual(lost, []);
  assert.ok(resent > 0 && answered > resent, `the load was real: ${answered} answered, ${resent} sent again`);
});
