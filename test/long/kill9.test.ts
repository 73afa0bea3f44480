/** kill -9 of a real kernel process at random points, under load: what was acknowledged is there, rows equal entries. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killKernels } from '../killing.ts';

const RUNS = Number(process.env.MEZZ_KILLS ?? 200);
const SEED = Number(process.env.MEZZ_SEED ?? Date.now() % 1_000_000);

test(`${RUNS} kills (seed ${SEED})`, async (t) => {
  const { acknowledged, lost, repeated, problems } = await killKernels(RUNS, SEED);
  assert.deepEqual(problems, []);
  assert.deepEqual(lost, []);
  assert.equal(repeated, 0, 'no request was sent to the upstream twice');
  assert.ok(acknowledged > RUNS, 'the load was real');
  t.diagnostic(`${RUNS} kills, ${acknowledged} acknowledged calls, none lost, none repeated`);
});
