/** Finds, reads and watches mezz.yaml. */
import { type FSWatcher, readFileSync, statSync, watch } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { ManifestFile } from '../base/manifest.ts';
import { buildConfig } from './build.ts';
import type { Config, ConfigProblem } from './config.ts';
import { LIMITS } from './limits.ts';
import type { Admitted } from './read.ts';

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

/** Where the file would be that is not there yet. */
export function newConfigFile(path: string | undefined, env: Environment): string {
  return resolve(path ?? env.MEZZ_CONFIG ?? join(env.MEZZ_HOME ?? '.', 'mezz.yaml'));
}

/**
 * The configuration to run with. Without a file the defaults hold. A file with a mistake gives no config at all:
 * starting without the limits it meant to set would be worse than not starting.
 */
export async function loadConfig(
  path: string | undefined,
  env: Environment,
  admitted?: Admitted,
): Promise<LoadedConfig> {
  const file = findConfigFile(path, env);
  if (file === null) return { file, config: buildConfig({}, '/', homedir()).config, problems: [] };
  const text = readText(file);
  if (typeof text !== 'string') return { file, config: undefined, problems: [text] };
  return { file, ...(await readWithLibraries(file, text, admitted)) };
}

// The YAML and schema libraries load only where there is a file to read.
async function readWithLibraries(file: string, text: string, admitted: Admitted | undefined) {
  const { readConfig, readManifest } = await import('./read.ts');
  const read = readConfig(file, text, dirname(file), homedir(), admitted);
  if (!read.config) return read;
  const problems: ConfigProblem[] = [];
  const tools = read.config.tools.map((tool) => {
    if (tool.manifestFile === undefined) return tool;
    const manifestText = readText(tool.manifestFile);
    const manifest =
      typeof manifestText === 'string' ? readManifest(tool.manifestFile, manifestText) : [manifestText];
    if (isManifest(manifest)) return { ...tool, manifest };
    problems.push(...manifest);
    return tool;
  });
  return problems.length > 0
    ? { config: undefined, problems }
    : { config: { ...read.config, tools }, problems: [] as const };
}

const isManifest = (read: ManifestFile | readonly ConfigProblem[]): read is ManifestFile => 'tools' in read;

/** The text of a settings file, or why there is none. */
export function readText(file: string): string | ConfigProblem {
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

/**
 * Calls `changed` after the text of one of the files changed, however an editor writes it (in place or by renaming),
 * and once for changes that come together. The returned function ends the watch. The files themselves are watched, not
 * their folders: in the state directory every commit would be told.
 */
export function watchFiles(files: readonly string[], changed: () => void): () => void {
  const read = () => JSON.stringify(files.map(readText));
  let seen = read();
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    const now = read();
    if (now === seen) return;
    seen = now;
    changed();
  };
  const told = () => {
    clearTimeout(timer);
    timer = setTimeout(look, LIMITS.reloadPauseMs.value).unref();
  };
  const ends = files.map((file) => watchFile(file, told));
  return () => {
    clearTimeout(timer);
    for (const end of ends) end();
  };
}

/** Follows a name from file to file: one that is renamed or deleted is looked for under its name again until it is back. */
function watchFile(file: string, told: () => void): () => void {
  let watcher: FSWatcher | undefined;
  let retry: NodeJS.Timeout | undefined;
  const again = () => {
    watcher?.close();
    clearTimeout(retry);
    retry = setTimeout(begin, LIMITS.reloadPauseMs.value).unref();
  };
  const begin = () => {
    try {
      watcher = watch(file, { persistent: false }, (event) => {
        told();
        if (event === 'rename') again();
      });
    } catch {
      return again();
    }
    watcher.on('error', again);
    told();
  };
  begin();
  return () => {
    watcher?.close();
    clearTimeout(retry);
  };
}
