/** Every answer stream cut at every byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutEverywhere, STREAMED } from '../security/cuts.ts';

for (const path of STREAMED)
  test(`${path} cut at every byte`, async (t) => {
    const cuts = await cutEverywhere(path, (whole) => whole.keys());
    assert.ok(cuts > 500);
    t.diagnostic(`${cuts} cuts`);
  });
