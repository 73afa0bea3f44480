import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageFailure } from './exit.ts';
import type { Session } from './session.ts';

/** A text file named on the command line; `-` is standard input. */
export function readTextFile(session: Session, path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : resolve(session.cwd, path), 'utf8');
  } catch (error) {
    throw new UsageFailure(
      `${path} cannot be read: ${error instanceof Error ? error.message : error}`,
      'name a file that you may read, or - for standard input',
    );
  }
}

/** A file that comes with mezz. The package begins two folders above a source (src/cli), one above a bundle (dist). */
export function readPackageFile(name: string): string {
  const root = import.meta.url.endsWith('.ts') ? '../../' : '../';
  return readFileSync(new URL(root + name, import.meta.url), 'utf8');
}

/** The text of a file, or undefined where it cannot be read. */
export function readTextIfThere(cwd: string, path: string): string | undefined {
  try {
    return readFileSync(resolve(cwd, path), 'utf8');
  } catch {
    return undefined;
  }
}
