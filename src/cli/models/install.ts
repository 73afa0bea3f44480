/** The engine's library, by this machine's npm: into a directory of its own, without running anything that came. */
import { spawn } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageFailure } from '../exit.ts';
import type { Session } from '../session.ts';

/** All of the packages or nothing: the directory appears when everything is in it. */
export async function installEngine(
  session: Session,
  packages: readonly string[],
  directory: string,
): Promise<void> {
  const part = `${directory}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true, mode: 0o700 });
  writeFileSync(join(part, 'package.json'), '{"private":true}');
  await npmInstall(session, packages, part);
  rmSync(directory, { recursive: true, force: true });
  renameSync(part, directory);
}

function npmInstall(session: Session, packages: readonly string[], directory: string): Promise<void> {
  // Optional packages are the binaries of every other machine; those named here are installed all the same.
  const options = [
    'install',
    '--omit=optional',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--save-exact',
  ];
  return new Promise((resolve, reject) => {
    const child = spawn('npm', [...options, ...packages], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...session.env },
    });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => session.terminal.err.write(text));
    child.on('error', (error) =>
      reject(
        new UsageFailure(`npm cannot be run: ${error.message}`, 'install npm, then type the same again', 1),
      ),
    );
    child.on('close', (code) => {
      if (code === 0) resolve();
      else
        reject(
          new UsageFailure(`npm could not install ${packages.join(' and ')}`, 'see what npm says above', 1),
        );
    });
  });
}
