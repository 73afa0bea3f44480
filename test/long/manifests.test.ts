/**
 * The shipped manifests against the packages that they name: what the real servers offer is all described, and each
 * argument that a template names exists. The servers are installed from the package registries into `.cache/`: those of
 * npm without their install scripts, those of PyPI as wheels, each in an environment of its own. No tool is called.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { isRecord, type Json, type JsonRecord } from '../../src/base/json.ts';
import { systemClock } from '../../src/drivers/clock.ts';
import { Guard } from '../../src/drivers/guard.ts';
import { StdioToolServer } from '../../src/drivers/mcp/stdio.ts';
import { lintManifest } from '../../src/tools/manifests/lint.ts';
import { BY_CLIENT, SHIPPED } from '../../src/tools/manifests/shipped.ts';
import { OWN } from '../../src/tools/shorten.ts';

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

/** Those in Python: what each must be given to start, and what its package does not say that it needs. */
const PYTHON: Readonly<Record<string, { args?: readonly string[]; needs?: string }>> = {
  'mcp-server-fetch': {},
  'mcp-server-git': {},
  'mcp-server-time': {},
  'mcp-server-sqlite': { args: ['--db-path', join(FOLDER, 'box.db')], needs: 'mcp<2' },
};

const all = SHIPPED.flatMap((file) => {
  const [, name = '', version = ''] = /^(.+)@([^@]+)$/.exec(file.tested ?? '') ?? [];
  return name === '' ? [] : [{ file, name, version }];
});
const tested = all.filter(({ name }) => name in PROGRAMS || name === GEMINI);

/** Its program, or why there is none. */
function installPython(name: string, version: string): string | { readonly missing: string } {
  const folder = join(FOLDER, `${name}-${version}`);
  const program = join(folder, 'bin', name);
  if (existsSync(join(folder, 'installed'))) return program;
  rmSync(folder, { recursive: true, force: true });
  const wanted = [`${name}==${version}`, PYTHON[name]?.needs ?? 'mcp'];
  const steps: [string, string[]][] = [
    ['python3', ['-m', 'venv', folder]],
    [join(folder, 'bin', 'pip'), ['install', '--quiet', '--only-binary', ':all:', ...wanted]],
  ];
  for (const [command, args] of steps) {
    const done = spawnSync(command, args, { encoding: 'utf8', timeout: INSTALL_TIMEOUT_MS });
    if (done.status !== 0) return { missing: done.error?.message ?? done.stderr.trim().slice(-300) };
  }
  writeFileSync(join(folder, 'installed'), '');
  return program;
}

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

interface Offered {
  readonly software: string;
  readonly tools: readonly JsonRecord[];
}

function offered(name: string): Promise<Offered> {
  const { program, args = [], env = {} } = PROGRAMS[name] ?? { program: '' };
  return ask([process.execPath, join(FOLDER, 'node_modules', name, program), ...args], env);
}

async function ask(command: readonly string[], env: Readonly<Record<string, string>>): Promise<Offered> {
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

  for (const { file, name, version } of all.filter((one) => one.name in PYTHON))
    test(`${name} ${version}: every tool is described, every argument exists`, async (t) => {
      const program = installPython(name, version);
      if (typeof program !== 'string') return t.skip(`the package cannot be installed: ${program.missing}`);
      const { software, tools } = await ask([program, ...(PYTHON[name]?.args ?? [])], {});
      assert.deepEqual(file.software, [software]);
      assert.deepEqual(lintManifest(file, tools), []);
    });

  test('every shipped manifest of a server is compared with its package', () => {
    const compared = new Set(
      [...tested, ...all.filter(({ name }) => name in PYTHON)].map(({ file }) => file),
    );
    const others = SHIPPED.filter((file) => file.software && !compared.has(file));
    assert.deepEqual(
      others.map(({ software }) => software),
      [[OWN]],
      "mezz's own alone has no package",
    );
  });

  test('Claude Code has the arguments that its manifest names, and no other tool of those it offers takes a file or a command', () => {
    const captured = new URL('../goldens/fixtures/requests/claude.json', import.meta.url);
    const offers = [...toolsIn(JSON.parse(readFileSync(captured, 'utf8')))].map(
      ({ name, input_schema: inputSchema = {} }) => ({ name: String(name), inputSchema }),
    );
    const touching = offers.filter(({ inputSchema }) =>
      /"(?:file_path|notebook_path|command)"/.test(JSON.stringify(inputSchema)),
    );
    const names = touching.map(({ name }) => name);
    assert.deepEqual([...new Set(names)].sort(), ['Bash', 'Edit', 'Read', 'Write']);
    const file = BY_CLIENT.get('claude-code');
    const tools = Object.entries(file?.tools ?? {}).filter(([tool]) => names.includes(tool));
    assert.deepEqual(lintManifest({ tools: Object.fromEntries(tools) }, touching), []);
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

/** The definitions of tools in whatever was captured. */
function* toolsIn(value: Json): Generator<JsonRecord> {
  if (Array.isArray(value)) for (const one of value) yield* toolsIn(one);
  if (!isRecord(value)) return;
  if (isRecord(value.input_schema)) yield value;
  for (const one of Object.values(value)) yield* toolsIn(one);
}

function bundleText(): string {
  const folder = join(FOLDER, 'node_modules', GEMINI, 'bundle');
  const files = readdirSync(folder).filter((name) => name.endsWith('.js'));
  return files.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}
