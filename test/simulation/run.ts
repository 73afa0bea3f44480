/** Runs seeds by hand: `node test/simulation/run.ts --seeds 1..5000`, or `--seed 17` with everything that happened. */
import { describeFailure } from './report.ts';
import { simulate } from './simulate.ts';

const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};

const one = option('seed');
const [first, last] = (option('seeds') ?? '1..200').split('..').map(Number) as [number, number?];
const seeds = one === undefined ? range(first, last ?? first) : [Number(one)];
const sums = { calls: 0, crashes: 0, entries: 0 };
let failed = 0;
for (const seed of seeds) {
  const outcome = await simulate(seed);
  for (const name of ['calls', 'crashes', 'entries'] as const) sums[name] += outcome.counts[name];
  if (one !== undefined) console.log(outcome.log.join('\n'));
  if (outcome.violations.length === 0) continue;
  failed++;
  console.log(describeFailure(outcome));
}
console.log(
  `${seeds.length} seeds, ${failed} failed; ${sums.calls} calls, ${sums.entries} entries, ${sums.crashes} crashes`,
);
process.exitCode = failed > 0 ? 1 : 0;

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
