/** Answers of the embedded engine that are stopped and go on, on the tiny model: it proves mechanism and says nothing. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, describe } from 'node:test';
import { measureExactness } from '../bench/lab/exactness.ts';
import { tinyGguf } from '../src/drivers/engine/tiny.ts';

describe('an answer of the engine that is stopped and goes on', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-preemption-'));
  const modelPath = join(directory, 'tiny.gguf');
  writeFileSync(modelPath, tinyGguf());
  after(() => rmSync(directory, { recursive: true, force: true }));

  for (const temperature of [0, 0.8])
    test(`has the tokens it would have had, at temperature ${temperature}, while others are written`, async () => {
      const seen = await measureExactness({
        modelPath,
        windowTokens: 4096,
        answers: 10,
        stops: 6,
        together: 4,
        mostTokens: 30,
        mostWords: 60,
        temperature,
        seed: 11,
      });
      assert.equal(seen.identical, seen.answers);
      assert.ok(seen.points >= 25, `${seen.points} points`);
      assert.ok(seen.others >= seen.points / 2, `others went on at ${seen.others} events`);
      assert.equal(seen.own, 0);
      assert.ok(Math.max(...seen.steps.keys()) <= 1, JSON.stringify([...seen.steps]));
    });
});
