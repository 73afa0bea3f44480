/**
 * kill -9 of the kernel at random points while agents call a real tool server that counts its own effects on disk, 200
 * times by default: effects that happened twice though their tool does not bear it (must be 0), calls that were answered
 * as done and are not (must be 0).
 * Usage: node scripts/with-node.js bench/kill9-tools.ts [--kills 200] [--seed 1] [--json]
 */
import { killToolKernels } from '../test/killing-tools.ts';
import { asJson, option } from './lab/report.ts';

const kills = option('kills', 200);
const seed = option('seed', 1);
const { answered, resent, doubted, repeated, lost, problems } = await killToolKernels(kills, seed);
const result = { kills, seed, answered, resent, doubted };
const wrong = { repeated: repeated.length, lost: lost.length, problems: problems.length };
if (asJson) console.log(JSON.stringify({ ...result, ...wrong }));
else {
  for (const line of [...repeated, ...lost, ...problems]) console.log(line);
  console.log(
    `${kills} kills (seed ${seed}): ${answered} calls answered, ${resent} of them sent again after a cut`,
  );
  console.log(
    `${doubted} told to be in doubt, ${wrong.repeated} effects repeated, ${wrong.lost} lost, ${wrong.problems} findings`,
  );
}
process.exitCode = repeated.length + lost.length + problems.length > 0 ? 1 : 0;
