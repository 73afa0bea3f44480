/**
 * Answers of the embedded engine that are stopped at random points while others are written, compared token by token
 * with the same answers never stopped, at temperature 0 and 0.8; and how many steps of the model end between the word
 * and the stop, counted in the engine's process. The tiny model writes one token a byte; --model takes a real one.
 * Usage: node scripts/with-node.js bench/preempt.ts [--points 1000] [--model FILE.gguf] [--json]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tinyGguf } from '../src/drivers/engine/tiny.ts';
import { measureExactness } from './lab/exactness.ts';
import { note, option, print, text } from './lab/report.ts';

/** Some answers end before all of their points come: this many more are asked for. */
const SPARE = 2.2;
const STOPS = 8;
const points = option('points', 1000);
const scratch = mkdtempSync(join(tmpdir(), 'mezz-bench-'));
const tiny = join(scratch, 'tiny.gguf');
writeFileSync(tiny, tinyGguf());
const columns: string[][] = [];
const result: Record<string, object> = {};
try {
  for (const temperature of [0, 0.8]) {
    const seen = await measureExactness({
      modelPath: text('model') || tiny,
      windowTokens: 4096,
      answers: Math.ceil((points * SPARE) / STOPS),
      stops: STOPS,
      together: 4,
      mostTokens: 48,
      mostWords: 80,
      temperature,
      seed: option('seed', 1),
    });
    const steps = Object.fromEntries([...seen.steps].sort(([a], [b]) => a - b));
    result[`temperature ${temperature}`] = { ...seen, steps };
    columns.push([
      String(temperature),
      String(seen.points),
      String(seen.whileReading),
      `${seen.identical} of ${seen.answers}`,
      String(seen.tokens),
      String(seen.own),
      Object.entries(steps)
        .map(([ended, times]) => `${ended}: ${times}`)
        .join(', '),
    ]);
    if (seen.points < points) note(`only ${seen.points} points: some answers ended early`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
const HEADS = [
  'temperature',
  'points at which an answer was stopped',
  'of them before its first token',
  'answers with identical tokens',
  'tokens compared',
  'tokens of an answer while it was stopped',
  'steps that ended before the stop: how often',
];
print(
  result,
  HEADS.map((head, at) => [head, ...columns.map((column) => column[at] as string)]),
);
