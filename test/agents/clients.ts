/**
 * The real clients: Claude Code and Codex as their vendors publish them, in pinned versions. They are installed from
 * the package registry at test time into `.cache/` and never vendored; no install script of theirs runs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { VERSIONS } from '../../src/cli/demo/clients.ts';

export { VERSIONS };

const ROOT = new URL('../..', import.meta.url).pathname;
const INSTALL_TIMEOUT_MS = 300_000;

export interface Clients {
  /** The folders to look in for `claude`, `codex` and the Node that runs them. */
  readonly path: readonly string[];
}

const folderOfClients = (): string =>
  join(ROOT, '.cache', `clients-${Object.values(VERSIONS).join('-')}-${process.platform}-${process.arch}`);

/** Captured by test/goldens/capture.ts alone: it is four times as large as the others together. */
export const OPENCODE = { 'opencode-ai': '1.18.33' } as const;

/** Installs opencode unless it is there: the folder of its program, or why it cannot be had. */
export function installOpencode(): string | { readonly missing: string } {
  const folder = join(
    ROOT,
    '.cache',
    `opencode-${OPENCODE['opencode-ai']}-${process.platform}-${process.arch}`,
  );
  // Without its install script its own command finds no program; that is in the platform's package.
  const program = () => globSync('opencode-*/bin/opencode', { cwd: join(folder, 'node_modules') }).sort()[0];
  const why = program() === undefined ? install(folder, OPENCODE) : '';
  const found = program();
  if (found) return dirname(join(folder, 'node_modules', found));
  return { missing: `opencode cannot be installed from the package registry: ${why}` };
}

/** The official inspector of MCP servers, for its command line alone. */
const INSPECTOR = { '@modelcontextprotocol/inspector': '2.12.0' } as const;

/** Installs the inspector unless it is there: its program, or why it cannot be had. Once there it asks for no network. */
export function installInspector(): string | { readonly missing: string } {
  const [[name, version]] = Object.entries(INSPECTOR) as [[string, string]];
  const folder = join(ROOT, '.cache', `mcp-inspector-${version}`);
  const program = join(folder, 'node_modules', name, 'clients/launcher/build/index.js');
  const why = existsSync(program) ? '' : install(folder, INSPECTOR);
  if (existsSync(program)) return program;
  return { missing: `the inspector cannot be installed from the package registry: ${why}` };
}

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
  const why = install(folderOfClients(), VERSIONS);
  return findClients() ?? { missing: `the clients cannot be installed from the package registry: ${why}` };
}

/** What npm said last, for the case that it failed. */
function install(folder: string, dependencies: Readonly<Record<string, string>>): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  const done = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: folder,
    encoding: 'utf8',
    timeout: INSTALL_TIMEOUT_MS,
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  });
  return done.error?.message ?? done.stderr.trim().split('\n').slice(-3).join(' ');
}
