/** The kernel's own keys, read from where mezz.yaml says they are. They live in memory and go to drivers alone. */
import { readFileSync, statSync } from 'node:fs';
import type { BackendId } from '../base/ids.ts';
import type { Config, KeySource } from './config.ts';
import { LIMITS } from './limits.ts';
import type { Environment } from './load.ts';

export interface Keys {
  readonly keys: ReadonlyMap<BackendId, string>;
  /** Of tool servers: of one its key, or client's secret, by its name, its variables and headers by `secretAt`. */
  readonly toolKeys: ReadonlyMap<string, string>;
  /** Why there is no key, for people; a variable that is not set is no problem, its backend is just not ready. */
  readonly problems: readonly {
    /** The setting whose key it is: `backends.anthropic`. */
    readonly at: string;
    readonly message: string;
    readonly remedy: string;
  }[];
}

export function readKeys(config: Config, env: Environment): Keys {
  const keys = new Map<BackendId, string>();
  const toolKeys = new Map<string, string>();
  const problems: Keys['problems'][number][] = [];
  const readOne = (at: string, key: KeySource, isPem = false): string => {
    const read = 'env' in key ? (env[key.env]?.trim() ?? '') : readKeyFile(key, isPem);
    if (typeof read === 'string') return read;
    problems.push({ at, ...read });
    return '';
  };
  for (const { spec, key } of config.backends) {
    const read = key ? readOne(`backends.${spec.id}`, key) : '';
    if (read !== '') keys.set(spec.id, read);
  }
  for (const { id, key, auth, secrets = [] } of config.tools) {
    const read = key ? readOne(`tools.${id}`, key, auth?.algorithm !== undefined) : '';
    if (read !== '') toolKeys.set(id, read);
    for (const { of, name, from } of secrets) {
      const at = secretAt(id, of, name);
      const secret = readOne(`tools.${at}`, from);
      if (secret !== '') toolKeys.set(at, secret);
    }
  }
  return { keys, toolKeys, problems };
}

/** By what a secret of a tool server is found among its keys. */
export const secretAt = (server: string, of: string, name: string): string => `${server}.${of}.${name}`;

function readKeyFile(
  { file }: Extract<KeySource, { file: string }>,
  isPem: boolean,
): string | { message: string; remedy: string } {
  try {
    const { mode, size } = statSync(file);
    if ((mode & 0o077) !== 0)
      return { message: `${file} can be read by others`, remedy: `Type: chmod 600 ${file}` };
    if (size > LIMITS.keyBytes.value)
      return { message: `${file} is too large for a key`, remedy: 'Name a file that holds only the key' };
    const key = readFileSync(file, 'utf8').trim();
    if (!(isPem ? /^-----BEGIN [\s\S]*-----$/ : /^[\x21-\x7e]+$/).test(key))
      return { message: `${file} holds no key on a line of its own`, remedy: 'Write only the key into it' };
    return key;
  } catch (error) {
    const { code = 'failed' } = error as NodeJS.ErrnoException;
    return { message: `${file} cannot be read (${code})`, remedy: 'Write the key into it, then chmod 600' };
  }
}
