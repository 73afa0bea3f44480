/**
 * The real clients: Claude Code and Codex as their vendors publish them, in pinned versions. They are installed from
 * the package registry at test time into `.cache/` and never vendored; no install script of theirs runs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;
export const VERSIONS = { '@anthropic-ai/claude-code': '2.1.330', '@openai/codex': '0.169.0' } as const;
const INSTALL_TIMEOUT_MS = 300_000;

export interface Clients {
  /** The folders to look in for `claude`, `codex` and the Node that runs them. */
  readonly path: readonly string[];
}

const folderOfClients = (): string =>
  join(ROOT, '.cache', `clients-${Object.values(VERSIONS).join('-')}-${process.platform}-${process.arch}`);

/** Where they are, or undefined while they are not installed. */
export function findClients(): Clients | undefined {
  const modules = join(folderOfClients(), 'node_modules');
  // Without its install script the package of Claude Code is a stub; the program is in the platform's own package.
  const claude = globSync('@anthropic-ai/claude-code-*/claude', { cwd: modules })[0];
  if (claude === undefined || !existsSync(join(modules, '.bin', 'codex'))) return undefined;
  return { path: [dirname(join(modules, claude)), join(modules, '.bin'), dirname(process.execPath)] };
}

/** Installs what is missing; says why it cannot. */
export function installClients(): Clients | { readonly missing: string } {
  const found = findClients();
  if (found) return found;
  const folder = folderOfClients();
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: VERSIONS }));
  const done = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    encoding: 'utf8',
    timeout: INSTALL_TIMEOUT_MS,
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  });
  const why = done.error?.message ?? done.stderr.trim().split('\n').slice(-3).join(' ');
  return findClients() ?? { missing: `the clients cannot be installed from the package registry: ${why}` };
}
