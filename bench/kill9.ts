/**
 * kill -9 of the kernel at random points under load, 1,000 times by default: what was acknowledged, what of it is lost
 * (must be 0), which requests reached the upstream twice though their client sent them once (must be 0).
 * Usage: node scripts/with-node.js bench/kill9.ts [--kills 1000] [--seed 1] [--json]
 */
import { killKernels } from '../test/killing.ts';
import { asJson, option } from './lab/report.ts';

const kills = option('kills', 1000);
const seed = option('seed', 1);
const { acknowledged, lost, repeated, problems } = await killKernels(kills, seed);
const result = { kills, seed, acknowledged, lost: lost.length, repeated, problems: problems.length };
if (asJson) console.log(JSON.stringify(result));
else {
  for (const line of [...lost, ...problems]) console.log(line);
  console.log(`${kills} kills (seed ${seed}), ${acknowledged} acknowledged calls`);
  console.log(
    `${lost.length} lost, ${repeated} effects repeated, ${problems.length} findings of audit and fsck`,
  );
}
process.exitCode = lost.length + repeated + problems.length > 0 ? 1 : 0;
