/**
 * The shipped manifests against the packages that they name: what the real servers offer is all described, and each
 * argument that a template names exists. The servers are installed from the package registry into `.cache/`, no install
 * script of theirs runs, and no tool of theirs is called.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { JsonRecord } from '../../src/base/json.ts';
import { systemClock } from '../../src/drivers/clock.ts';
import { Guard } from '../../src/drivers/guard.ts';
import { StdioToolServer } from '../../src/drivers/mcp/stdio.ts';
import { lintManifest } from '../../src/tools/manifests/lint.ts';
import { SHIPPED } from '../../src/tools/manifests/shipped.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const FOLDER = join(ROOT, '.cache', 'tool-servers');
const INSTALL_TIMEOUT_MS = 300_000;

/** Its source as it opens connections: DBHub starts without a database when it need not connect yet. */
const LAZY = '[[sources]]\nid = "box"\ndsn = "postgres://user:none@127.0.0.1:1/box"\nlazy = true\n';

/** Where each package's program is, and what it must be given to start. */
const PROGRAMS: Readonly<
  Record<string, { program: string; args?: readonly string[]; env?: Record<string, string> }>
> = {
  '@modelcontextprotocol/server-everything': { program: 'dist/index.js' },
  '@modelcontextprotocol/server-filesystem': { program: 'dist/index.js', args: [FOLDER] },
  '@modelcontextprotocol/server-memory': { program: 'dist/index.js' },
  '@modelcontextprotocol/server-sequential-thinking': { program: 'dist/index.js' },
  '@modelcontextprotocol/server-github': {
    program: 'dist/index.js',
    env: { GITHUB_PERSONAL_ACCESS_TOKEN: 'none' },
  },
  '@playwright/mcp': { program: 'cli.js', args: ['--headless'] },
  '@bytebase/dbhub': {
    program: 'dist/index.js',
    args: ['--transport', 'stdio', '--config', join(FOLDER, 'dbhub.toml')],
  },
  '@cyanheads/git-mcp-server': { program: 'dist/index.js', env: { MCP_TRANSPORT_TYPE: 'stdio' } },
};
const GEMINI = '@google/gemini-cli';

const tested = SHIPPED.flatMap((file) => {
  const [, name = '', version = ''] = /^(.+)@([^@]+)$/.exec(file.tested ?? '') ?? [];
  return name in PROGRAMS || name === GEMINI ? [{ file, name, version }] : [];
});

function install(): string | undefined {
  const dependencies = Object.fromEntries(tested.map(({ name, version }) => [name, version]));
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, 'dbhub.toml'), LAZY);
  const wanted = JSON.stringify({ private: true, dependencies });
  const file = join(FOLDER, 'package.json');
  if (existsSync(join(FOLDER, 'installed')) && readFileSync(file, 'utf8') === wanted) return undefined;
  rmSync(join(FOLDER, 'installed'), { force: true });
  writeFileSync(file, wanted);
  const done = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    encoding: 'utf8',
    timeout: INSTALL_TIMEOUT_MS,
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  });
  if (done.status !== 0) return done.error?.message ?? done.stderr.trim().split('\n').slice(-3).join(' ');
  writeFileSync(join(FOLDER, 'installed'), '');
  return undefined;
}

async function offered(name: string): Promise<{ software: string; tools: readonly JsonRecord[] }> {
  const { program, args = [], env = {} } = PROGRAMS[name] ?? { program: '' };
  const command = [process.execPath, join(FOLDER, 'node_modules', name, program), ...args];
  const guard = new Guard();
  const spec = { id: 'box', command, env, cwd: FOLDER };
  const server = new StdioToolServer(spec, systemClock, guard, () => {});
  try {
    const described = await server.describe();
    assert.ok(!('code' in described), JSON.stringify(described));
    return described;
  } finally {
    await server.close();
    guard.close();
  }
}

describe('shipped manifests', () => {
  let missing: string | undefined;
  before(() => {
    missing = install();
  });

  for (const { file, name, version } of tested.filter((one) => one.name !== GEMINI))
    test(`${name} ${version}: every tool is described, every argument exists`, async (t) => {
      if (missing !== undefined) return t.skip(`the packages cannot be installed: ${missing}`);
      const { software, tools } = await offered(name);
      assert.deepEqual(file.software, [software]);
      assert.deepEqual(lintManifest(file, tools), []);
    });

  test('Gemini CLI has the tools and the arguments that its manifest names', (t) => {
    if (missing !== undefined) return t.skip(`the packages cannot be installed: ${missing}`);
    const gemini = tested.find(({ name }) => name === GEMINI);
    const bundle = bundleText();
    const constants = new Set([...bundle.matchAll(/_TOOL_NAME\d* ?= ?"([a-z_]+)"/g)].map(([, name]) => name));
    const parameters = new Set(
      [...bundle.matchAll(/PARAM_[A-Z_]+\d* ?= ?"([a-z_]+)"/g)].map(([, name]) => name),
    );
    assert.ok(gemini && constants.size > 10 && parameters.size > 10);
    for (const [tool, { resources = [], shell, dir }] of Object.entries(gemini.file.tools)) {
      assert.ok(constants.has(tool), `${tool} is a tool of Gemini CLI`);
      const templates = [
        ...resources.map(({ key }) => key),
        shell ?? '',
        dir === undefined ? '' : `{${dir}}`,
      ];
      for (const [, name] of templates.join(' ').matchAll(/\{(\w+)\}/g))
        assert.ok(parameters.has(name), `${name} is an argument of a tool of Gemini CLI`);
    }
  });
});

function bundleText(): string {
  const folder = join(FOLDER, 'node_modules', GEMINI, 'bundle');
  const files = readdirSync(folder).filter((name) => name.endsWith('.js'));
  return files.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}
