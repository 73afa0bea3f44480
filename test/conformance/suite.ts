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

/** Runs the server leg of a frozen set against a URL. */
export async function runServers(url: string, revision: Revision): Promise<Scenario[]> {
  const out = mkdtempSync(join(tmpdir(), 'mezz-conformance-'));
  try {
    await start(['server', '--url', url, '--requirements', revision, '-o', out]);
    return wanted('server', revision).map((scenario) => read(out, scenario));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** Runs the client leg of a frozen set with a command that the suite starts, one scenario after the other. */
export async function runClients(command: string, revision: Revision): Promise<Scenario[]> {
  const out = mkdtempSync(join(tmpdir(), 'mezz-conformance-'));
  const scenarios = wanted('client', revision);
  try {
    for (const { name, unscored } of scenarios)
      await start([
        ...['client', '--command', command, '--scenario', name, '-o', out],
        // Extensions are of no version.
        ...(unscored === 'extension' ? [] : ['--spec-version', revision]),
      ]);
    return scenarios.map((scenario) => read(out, scenario));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

async function start(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(suite, 'dist/index.js'), ...args], { stdio: 'ignore' });
  await once(child, 'close');
}

/** The scenarios of a leg, and of those that do not count, why. */
function wanted(leg: 'server' | 'client', revision: Revision): Pick<Scenario, 'name' | 'unscored'>[] {
  const file = readFileSync(join(suite, 'requirements', `${revision}.yaml`), 'utf8');
  const set = parse(file) as Record<'server' | 'client', string[]> & {
    not_scored: { scenario: string; leg: string; reason: string }[];
  };
  const unscored = set.not_scored.filter((one) => one.leg === leg);
  return [
    ...set[leg].map((name) => ({ name, unscored: undefined })),
    ...unscored.map(({ scenario, reason }) => ({ name: scenario, unscored: reason })),
  ];
}

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

function read(out: string, { name, unscored }: Pick<Scenario, 'name' | 'unscored'>): Scenario {
  const runs = readdirSync(out, { recursive: true, encoding: 'utf8' });
  const run = runs.find((path) => {
    const [, scenario] = /^(?:server-)?(.*)-\d{4}-\d\d-\d\dT[^/]*\/checks\.json$/.exec(path) ?? [];
    return scenario === name;
  });
  const checks = run ? (JSON.parse(readFileSync(join(out, run), 'utf8')) as Check[]) : [];
  const of = (status: string) => checks.filter((check) => check.status === status);
  const say = ({ id, errorMessage }: Check) => `${id}: ${errorMessage ?? ''}`;
  return {
    name,
    unscored,
    passed: of('SUCCESS').length,
    failed: run ? of('FAILURE').map(say) : ['it was not run'],
    warned: of('WARNING').map(say),
  };
}
