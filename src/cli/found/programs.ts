/**
 * found/ owns what is on this machine already: agents' programs, keys by name, model engines on loopback.
 * Invariant: it looks and touches nothing: no program is run, no key is read, an engine is asked for its list of models.
 * It must not know: the kernel.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The program a shell would start by this name, or undefined. */
export function findProgram(name: string, path: string | undefined): string | undefined {
  return (path ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((directory) => join(directory, name))
    .find((candidate) => {
      try {
        accessSync(candidate, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
