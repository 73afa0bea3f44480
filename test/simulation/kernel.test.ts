/** The kernel proper in virtual time, from seeds; and proof that the oracle sees what it is there for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { describeFailure } from './report.ts';
import { SABOTAGES } from './sabotage.ts';
import { simulate } from './simulate.ts';

const SEEDS = 200;
/** Seeds within which a broken kernel must be found out. */
const CAUGHT_WITHIN = 100;

describe('a simulated kernel', () => {
  test(`${SEEDS} seeds: every START is durable before its effect, every END has one, no budget is over-issued, every wait is named`, async (t) => {
    let calls = 0;
    let crashes = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await simulate(seed);
      assert.equal(outcome.violations.length, 0, describeFailure(outcome));
      calls += outcome.counts.calls;
      crashes += outcome.counts.crashes;
    }
    assert.ok(calls > SEEDS * 5 && crashes > SEEDS, 'the simulated world was busy');
    t.diagnostic(`${SEEDS} seeds, ${calls} calls, ${crashes} crashes`);
  });

  test('a seed repeats itself step by step', async () => {
    const [first, second] = [await simulate(7), await simulate(7)];
    assert.deepEqual(second.log, first.log);
    assert.ok(first.log.length > 50);
  });
});

describe('a broken kernel is found out', () => {
  for (const [name, sabotage] of Object.entries(SABOTAGES))
    test(name, async () => {
      const seen = new Set<string>();
      for (let seed = 1; seed <= CAUGHT_WITHIN; seed++) {
        for (const { rule } of (await simulate(seed, sabotage)).violations) seen.add(rule);
        if (sabotage.seenBy.some((rule) => seen.has(rule))) return;
      }
      assert.fail(
        `not seen by ${sabotage.seenBy.join(' or ')}; reported: ${[...seen].join(', ') || 'nothing'}`,
      );
    });
});
