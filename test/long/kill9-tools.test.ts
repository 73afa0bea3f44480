/** kill -9 of a real kernel at random points while a real tool server counts its own effects. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killToolKernels } from '../killing-tools.ts';

const RUNS = Number(process.env.MEZZ_KILLS ?? 200);
const SEED = Number(process.env.MEZZ_SEED ?? Date.now() % 1_000_000);

test(`${RUNS} kills while tools run (seed ${SEED})`, async (t) => {
  const { repeated, lost, problems, answered, doubted, resent } = await killToolKernels(RUNS, SEED);
  assert.deepEqual(problems, []);
  assert.deepEqual(repeated, []);
  assert.deepEqual(lost, []);
  assert.ok(resent > RUNS / 2 && doubted > 0, `the load was real: ${resent} sent again, ${doubted} in doubt`);
  t.diagnostic(`${RUNS} kills, ${answered} answered, ${resent} sent again, ${doubted} told to be in doubt`);
});
