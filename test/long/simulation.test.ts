/** More seeds of the simulated kernel than `npm test` runs, as many of them as fit into the time there is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFailure } from '../simulation/report.ts';
import { simulate } from '../simulation/simulate.ts';

const FIRST = Number(process.env.MEZZ_SEED ?? 1001);
const MOST = Number(process.env.MEZZ_SEEDS ?? 600);
const BUDGET_MS = 4 * 60_000;

test(`up to ${MOST} seeds from ${FIRST} on`, async (t) => {
  const until = Date.now() + BUDGET_MS;
  const sums = { calls: 0, crashes: 0, seeds: 0 };
  for (let seed = FIRST; seed < FIRST + MOST && Date.now() < until; seed++) {
    const outcome = await simulate(seed);
    assert.equal(outcome.violations.length, 0, describeFailure(outcome));
    sums.calls += outcome.counts.calls;
    sums.crashes += outcome.counts.crashes;
    sums.seeds++;
  }
  assert.ok(sums.calls > sums.seeds && sums.seeds > 0, 'the simulated world was busy');
  t.diagnostic(`${sums.seeds} seeds, ${sums.calls} calls, ${sums.crashes} crashes`);
});
