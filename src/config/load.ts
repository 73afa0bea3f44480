/** Finds, reads and watches mezz.yaml. */
import { readFileSync, statSync, watch } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { buildConfig } from './build.ts';
import type { Config, ConfigProblem } from './config.ts';
import { LIMITS } from './limits.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What was read: a whole config, or why there is none. `file` is null where no file was asked for or found. */
export type LoadedConfig = { readonly file: string | null } & (
  | { readonly config: Config; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly ConfigProblem[] }
);

/** The file to use: the one named, `$MEZZ_CONFIG`, or `mezz.yaml` in the state directory `$MEZZ_HOME` if it is there. */
export function findConfigFile(path: string | undefined, env: Environment): string | null {
  const asked = path ?? env.MEZZ_CONFIG;
  if (asked) return resolve(asked);
  const found = env.MEZZ_HOME ? join(resolve(env.MEZZ_HOME), 'mezz.yaml') : undefined;
  return found && statSync(found, { throwIfNoEntry: false }) ? found : null;
}

/**
 * The configuration to run with. Without a file the defaults hold. A file with a mistake gives no config at all:
 * starting without the limits it meant to set would be worse than not starting.
 */
export async function loadConfig(path: string | undefined, env: Environment): Promise<LoadedConfig> {
  const file = findConfigFile(path, env);
  if (file === null) return { file, config: buildConfig({}, '/', homedir()).config, problems: [] };
  const text = readText(file);
  if (typeof text !== 'string') return { file, config: undefined, problems: [text] };
  return { file, ...(await readWithLibraries(file, text)) };
}

// The YAML and schema libraries load only where there is a file to read.
async function readWithLibraries(file: string, text: string) {
  const { readConfig } = await import('./read.ts');
  return readConfig(file, text, dirname(file), homedir());
}

function readText(file: string): string | ConfigProblem {
  const problem = (message: string, remedy: string) => ({
    file,
    line: 0,
    column: 0,
    at: '',
    message,
    remedy,
  });
  try {
    if (statSync(file).size > LIMITS.configBytes.value)
      return problem(`is larger than ${LIMITS.configBytes.value} bytes`, 'Is this the right file?');
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code = 'failed' } = error as NodeJS.ErrnoException;
    return problem(`cannot be read (${code})`, 'Check the path and its permissions');
  }
}

/** The config to use from now on: the new one, or on mistakes the old one with the problems. */
export interface ConfigChange {
  readonly config: Config;
  readonly problems: readonly ConfigProblem[];
}

/**
 * Calls `onChange` after the file's text changed, however an editor writes it (in place or by renaming); on mistakes
 * the config it passes is the old one. The returned function ends the watch.
 */
export function watchConfig(
  file: string,
  current: Config,
  onChange: (change: ConfigChange) => void,
): () => void {
  let config = current;
  let seen = readText(file);
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const reload = async () => {
    const text = readText(file);
    if (text === seen) return;
    seen = text;
    const read =
      typeof text === 'string'
        ? await readWithLibraries(file, text)
        : { config: undefined, problems: [text] };
    // A later change may have been read meanwhile, or the watch have ended.
    if (closed || text !== seen) return;
    config = read.config ?? config;
    onChange({ config, problems: read.problems });
  };
  const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
    if (name !== null && name !== basename(file)) return;
    clearTimeout(timer);
    timer = setTimeout(() => void reload(), LIMITS.reloadPauseMs.value).unref();
  });
  return () => {
    closed = true;
    clearTimeout(timer);
    watcher.close();
  };
}
