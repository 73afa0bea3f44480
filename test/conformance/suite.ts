/**
 * The official conformance suite of the Model Context Protocol, pinned, installed when a run asks for it into .cache/ and
 * never a dependency; and what a run of it came to, scenario by scenario.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';

export const VERSION = '0.2.0-alpha.12';
export const REVISIONS = ['2025-11-25', '2026-07-28'] as const;
export type Revision = (typeof REVISIONS)[number];

const root = dirname(dirname(import.meta.dirname));
const folder = join(root, '.cache', `mcp-conformance-${VERSION}`);
const suite = join(folder, 'node_modules', '@modelcontextprotocol', 'conformance');

export interface Scenario {
  readonly name: string;
  /** Why it does not count, as the frozen set says; undefined: it does. */
  readonly unscored: string | undefined;
  readonly passed: number;
  /** What failed, in the suite's words. */
  readonly failed: readonly string[];
  readonly warned: readonly string[];
}

/** false where it cannot be installed. */
export function installSuite(): boolean {
  if (existsSync(suite)) return true;
  mkdirSync(folder, { recursive: true });
  const dependencies = { '@modelcontextprotocol/conformance': VERSION };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const done = spawnSync('npm', ['install', ...flags], { cwd: folder, stdio: ['ignore', 2, 2] });
  return done.status === 0 && existsSync(suite);
}

/** Runs one leg of one frozen set: `server` against a URL, or `client` with a command that the suite starts. */
export async function runSuite(
  leg: 'server' | 'client',
  target: string,
  revision: Revision,
): Promise<Scenario[]> {
  const out = mkdtempSync(join(tmpdir(), 'mezz-conformance-'));
  try {
    const at = leg === 'server' ? ['--url', target] : ['--command', target];
    const args = [join(suite, 'dist/index.js'), leg, ...at, '--requirements', revision, '-o', out];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    await once(child, 'close');
    return read(out, leg, revision);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

function read(out: string, leg: 'server' | 'client', revision: Revision): Scenario[] {
  const file = readFileSync(join(suite, 'requirements', `${revision}.yaml`), 'utf8');
  const set = parse(file) as Record<'server' | 'client', string[]> & {
    not_scored: { scenario: string; leg: string; reason: string }[];
  };
  const unscored = set.not_scored.filter((one) => one.leg === leg);
  const wanted = [
    ...set[leg].map((name) => ({ name, unscored: undefined })),
    ...unscored.map(({ scenario, reason }) => ({ name: scenario, unscored: reason })),
  ];
  const runs = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('checks.json'),
  );
  return wanted.map(({ name, unscored: why }) => {
    const run = runs.find(
      (path) => path.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, '') === name,
    );
    const checks = run ? (JSON.parse(readFileSync(join(out, run), 'utf8')) as Check[]) : [];
    const of = (status: string) => checks.filter((check) => check.status === status);
    const say = ({ id, errorMessage }: Check) => `${id}: ${errorMessage ?? ''}`;
    return {
      name,
      unscored: why,
      passed: of('SUCCESS').length,
      failed: run ? of('FAILURE').map(say) : ['it was not run'],
      warned: of('WARNING').map(say),
    };
  });
}
