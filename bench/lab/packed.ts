/** mezz as the package brings it: built, in a folder without its sources, beside the dependencies of this checkout. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Builds it into `directory` and gives the path of its `mezz`. */
export function packMezz(directory: string): string {
  execFileSync(process.execPath, [join(ROOT, 'scripts', 'build.js')], { stdio: 'ignore' });
  mkdirSync(directory);
  const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] };
  for (const name of [...files, 'package.json'])
    cpSync(join(ROOT, name), join(directory, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return join(directory, 'bin', 'mezz.js');
}
