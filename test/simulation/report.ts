/** A failed simulation for a person: the seed, what was broken, the steps before, and how to see it again. */
import type { Outcome } from './simulate.ts';

const LINES = 40;

export function describeFailure({ seed, violations, log }: Outcome): string {
  return [
    `seed ${seed}:`,
    ...violations.slice(0, 5).map(({ rule, detail }) => `  ${rule}: ${detail}`),
    '  the last steps:',
    ...log.slice(-LINES).map((line) => `  ${line}`),
    `  again: node scripts/with-node.js test/simulation/run.ts --seed ${seed}`,
  ].join('\n');
}
