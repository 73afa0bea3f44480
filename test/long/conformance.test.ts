/** The official conformance suite through mezz: every scored scenario of both sets and both directions, as the page says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isPassed, matrixPage, runAll } from '../conformance/matrix.ts';
import { installSuite } from '../conformance/suite.ts';

test('every scored scenario passes through mezz, and the published page says what a run says', async (t) => {
  if (!installSuite()) return t.skip('the conformance suite could not be installed');
  const runs = await runAll();
  const failed = runs.flatMap(({ leg, revision, upstream, scenarios }) =>
    scenarios
      .filter((scenario) => scenario.unscored === undefined && !isPassed(scenario))
      .map(({ name, failed: why }) => `${leg} ${revision} ${upstream} ${name}: ${why.join('; ')}`),
  );
  assert.deepEqual(failed, []);
  assert.equal(readFileSync('docs/mcp-conformance.md', 'utf8'), matrixPage(runs));
});
