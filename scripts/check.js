// Types, lint and format: the checks that read the sources without running them. Exit code 1 when any fails.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');

/** Each check: its name and the arguments after `node`. */
const CHECKS = [
  ['types (tsc)', [join(modules, 'typescript', 'bin', 'tsc'), '-p', '.']],
  [
    'lint and format (biome)',
    [join(modules, '@biomejs', 'biome', 'bin', 'biome'), 'check', '--no-errors-on-unmatched'],
  ],
];

/** Runs every check, even after one failed; returns the names of those that failed. */
export function check() {
  return CHECKS.filter(([name, argv]) => {
    console.log(`\n--- ${name}`);
    return spawnSync(process.execPath, argv, { cwd: root, stdio: 'inherit' }).status !== 0;
  }).map(([name]) => name);
}

if (import.meta.main) {
  const failed = check();
  console.log(failed.length === 0 ? '\nall checks passed' : `\nfailed: ${failed.join(', ')}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
