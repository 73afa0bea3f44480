import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import type { Launch } from '../../base/control.ts';
import type { UsageFailure } from '../exit.ts';
import { shellWord } from '../shell.ts';
import type { LaunchContext } from './adapter.ts';
import { claude } from './claude.ts';
import { codex } from './codex.ts';
import { generic } from './generic.ts';
import { findAdapter } from './index.ts';
import { opencode } from './opencode.ts';

const launch: Launch = {
  pid: 3,
  name: 'calm-owl',
  token: 'TOK',
  origin: 'http://127.0.0.1:4141',
  hooks: true,
  cwd: '/work',
};
const context = (env: Record<string, string> = {}, files: Record<string, string> = {}): LaunchContext => ({
  env,
  home: '/users/u',
  directory: '/tmp/run',
  mezz: ['/opt/node', '/opt/my mezz/bin/mezz.js'],
  readText: (path) => files[path],
});
interface Settings {
  readonly model?: string;
  readonly hooks: Record<string, { matcher?: string; hooks: Record<string, unknown>[] }[]>;
}
const settingsOf = (files: readonly { readonly text: string }[]) =>
  JSON.parse(files[0]?.text ?? '') as Settings;

describe('claude', () => {
  test('gets its address, hooks that block, and no key', () => {
    const { command, env, files } = claude.prepare(launch, ['claude', '-p', 'hi'], context());
    assert.deepEqual(command, ['claude', '--settings', '/tmp/run/settings.json', '-p', 'hi']);
    assert.deepEqual(env, { ANTHROPIC_BASE_URL: 'http://127.0.0.1:4141/a/TOK' });
    const { hooks } = settingsOf(files);
    assert.deepEqual(hooks.PreToolUse, [
      {
        matcher: '*',
        hooks: [
          {
            type: 'http',
            url: 'http://127.0.0.1:4141/a/TOK/hooks/claude',
            onFailure: 'block',
            timeout: 600,
          },
        ],
      },
    ]);
    for (const event of ['PostToolUse', 'PostToolUseFailure', 'Notification', 'Stop', 'UserPromptSubmit'])
      assert.equal(hooks[event]?.[0]?.hooks[0]?.onFailure, undefined, event);
    assert.deepEqual(Object.keys(hooks).length, 6);
  });
  for (const [what, args, files] of [
    ['inline', ['--settings', '{"model":"m","hooks":{"PreToolUse":[{"hooks":[]}],"Other":[1]}}'], {}],
    ['inline, joined', ['--settings={"model":"m","hooks":{"PreToolUse":[{"hooks":[]}],"Other":[1]}}'], {}],
    [
      'a file',
      ['--settings', 's.json'],
      { 's.json': '{"model":"m","hooks":{"PreToolUse":[{"hooks":[]}],"Other":[1]}}' },
    ],
  ] as const)
    test(`keeps the user's own settings: ${what}`, () => {
      const given = claude.prepare(launch, ['claude', ...args, '-c'], context({}, files));
      assert.deepEqual(given.command, ['claude', '--settings', '/tmp/run/settings.json', '-c']);
      const settings = settingsOf(given.files);
      assert.equal(settings.model, 'm');
      assert.equal(settings.hooks.PreToolUse?.length, 2);
      assert.equal(settings.hooks.PreToolUse?.[0]?.matcher, '*');
      assert.deepEqual(settings.hooks.Other, [1]);
    });
  test('refuses settings that cannot be read instead of dropping them', () => {
    assert.throws(() => claude.prepare(launch, ['claude', '--settings', 'gone.json'], context()));
  });
  test('leaves --settings behind "--" alone: it is a prompt', () => {
    const { command } = claude.prepare(launch, ['claude', '--', '--settings'], context());
    assert.deepEqual(command.slice(3), ['--', '--settings']);
  });
  test('without hooks gets its address alone, and keeps its arguments', () => {
    const given = claude.prepare({ ...launch, hooks: false }, ['claude', '--settings', 's.json'], context());
    assert.deepEqual([given.command, given.files], [['claude', '--settings', 's.json'], []]);
  });
  test('says that a base URL is replaced, and lets loopback pass by a proxy', () => {
    const { env, notes } = claude.prepare(
      launch,
      ['claude'],
      context({ ANTHROPIC_BASE_URL: 'http://x', HTTPS_PROXY: 'http://p', NO_PROXY: 'a.b' }),
    );
    assert.equal(env.NO_PROXY, 'a.b,127.0.0.1');
    assert.match(notes.join(), /ANTHROPIC_BASE_URL/);
  });
});

describe('codex', () => {
  const provider = (login: string) =>
    `model_providers.mezz={name="mezz",base_url="http://127.0.0.1:4141/a/TOK/v1",wire_api="responses",${login}}`;
  test('gets a provider, hooks and the reason for the trust flag', () => {
    const { command, env, files, notes } = codex.prepare(launch, ['codex', 'exec', 'hi'], context());
    const entry = `[{matcher=".*",hooks=[{type="command",command="/opt/node '/opt/my mezz/bin/mezz.js' hook codex"}]}]`;
    assert.deepEqual(command, [
      'codex',
      '-c',
      provider('requires_openai_auth=true'),
      '-c',
      'model_provider="mezz"',
      ...['PreToolUse', 'PostToolUse', 'PermissionRequest', 'UserPromptSubmit', 'Stop'].flatMap((event) => [
        '-c',
        `hooks.${event}=${entry}`,
      ]),
      '--dangerously-bypass-hook-trust',
      'exec',
      'hi',
    ]);
    assert.deepEqual(env, { MEZZ_HOOK_URL: 'http://127.0.0.1:4141/a/TOK/hooks/codex' });
    assert.deepEqual(files, []);
    assert.match(notes.join(), /--dangerously-bypass-hook-trust/);
  });
  test('uses the key of the environment only where there is no login', () => {
    const key = { OPENAI_API_KEY: 'k' };
    const login = { '/users/u/.codex/auth.json': '{}' };
    assert.equal(
      codex.prepare(launch, ['codex'], context(key)).command[2],
      provider('env_key="OPENAI_API_KEY"'),
    );
    assert.equal(
      codex.prepare(launch, ['codex'], context(key, login)).command[2],
      provider('requires_openai_auth=true'),
    );
  });
  test('without hooks needs no trust', () => {
    const { command, env, notes } = codex.prepare({ ...launch, hooks: false }, ['codex'], context());
    assert.doesNotMatch(command.join(' '), /hook/);
    assert.deepEqual([env, notes], [{}, []]);
  });
  test('quotes words for the shell', () => {
    assert.equal(shellWord("it's"), "'it'\\''s'");
    assert.equal(shellWord('/usr/bin/node'), '/usr/bin/node');
  });
});

describe('opencode', () => {
  const configOf = (env: Record<string, string>, files: Record<string, string> = {}) => {
    const { command, env: given, notes } = opencode.prepare(launch, ['opencode', 'run'], context(env, files));
    assert.deepEqual(command, ['opencode', 'run']);
    const { OPENCODE_CONFIG_CONTENT: content = '', ...more } = given;
    return { config: JSON.parse(content) as object, more, notes: notes.join('\n') };
  };
  const url = 'http://127.0.0.1:4141/a/TOK/v1';
  test('gets the address of each provider mezz serves, and no other provider', () => {
    const { config, more, notes } = configOf({ OPENAI_API_KEY: 'k', ANTHROPIC_API_KEY: 'k' });
    assert.deepEqual(config, {
      provider: { anthropic: { options: { baseURL: url } }, openai: { options: { baseURL: url } } },
      enabled_providers: ['anthropic', 'openai'],
    });
    assert.deepEqual(more, {});
    assert.match(notes, /others would be called past mezz/);
    assert.match(notes, /with a ChatGPT login opencode calls chatgpt\.com by itself/);
  });
  test("keeps the user's own inline configuration", () => {
    const own = '{"model":"m","provider":{"openai":{"options":{"timeout":5,"baseURL":"x"}},"other":{}}}';
    assert.deepEqual(configOf({ OPENCODE_CONFIG_CONTENT: own }).config, {
      model: 'm',
      provider: {
        openai: { options: { timeout: 5, baseURL: url } },
        other: {},
        anthropic: { options: { baseURL: url } },
      },
      enabled_providers: ['anthropic', 'openai'],
    });
    assert.throws(() => configOf({ OPENCODE_CONFIG_CONTENT: '[]' }), /not a JSON object/);
  });
  test('sets a key only where there is neither a key nor a login', () => {
    assert.deepEqual(configOf({ OPENAI_API_KEY: 'k' }).more, { ANTHROPIC_API_KEY: 'TOK' });
    assert.deepEqual(configOf({}, { '/users/u/.local/share/opencode/auth.json': '{}' }).more, {});
    assert.deepEqual(configOf({ XDG_DATA_HOME: '/d' }, { '/d/opencode/auth.json': '{}' }).more, {});
  });
});

describe('gemini', () => {
  test('is refused, and the way to run it all the same is said', () => {
    for (const [program, client] of [['/usr/bin/gemini'], ['npx', 'gemini']] as const)
      assert.throws(
        () => findAdapter(program, client),
        (error: UsageFailure) =>
          /does not serve Gemini CLI yet/.test(error.message) && /--client generic/.test(error.remedy ?? ''),
      );
    assert.equal(findAdapter('gemini', 'generic'), generic);
  });
});

describe('any other program', () => {
  test('gets base URLs, and its token as key only where none is set', () => {
    const { command, env, notes } = generic.prepare(
      launch,
      ['python', 'a.py'],
      context({ OPENAI_API_KEY: 'k' }),
    );
    assert.deepEqual(command, ['python', 'a.py']);
    assert.deepEqual(env, {
      OPENAI_BASE_URL: 'http://127.0.0.1:4141/a/TOK/v1',
      OPENAI_API_BASE: 'http://127.0.0.1:4141/a/TOK/v1',
      ANTHROPIC_BASE_URL: 'http://127.0.0.1:4141/a/TOK',
      ANTHROPIC_API_KEY: 'TOK',
    });
    assert.match(notes.join(), /^ANTHROPIC_API_KEY: set to this agent's mezz token/);
  });
  test('is known by its file name, or by the name the user gave', () => {
    assert.equal(findAdapter('/usr/local/bin/claude'), claude);
    assert.equal(findAdapter('./codex'), codex);
    assert.equal(findAdapter('python3'), generic);
    assert.equal(findAdapter('npx', 'claude'), claude);
    assert.throws(() => findAdapter('npx', 'nobody'));
  });
});

test('the model a client will ask for is told from its words, its environment, or its own settings', () => {
  const codexFiles = {
    '/users/u/.codex/config.toml': '# mine\nmodel = "own" # kept\n[profiles.x]\nmodel = "other"\n',
  };
  for (const [adapter, args, env, files, wanted] of [
    [claude, ['-p', 'hi', '--model', 'a'], { ANTHROPIC_MODEL: 'b' }, {}, 'a'],
    [claude, ['--model=a', '--', '--model', 'prompt'], {}, {}, 'a'],
    [claude, [], { ANTHROPIC_MODEL: 'b' }, {}, 'b'],
    [
      claude,
      [],
      {},
      { '.claude/settings.json': '{"model":"b"}', '/users/u/.claude/settings.json': '{"model":"c"}' },
      'b',
    ],
    [
      claude,
      [],
      { CLAUDE_CONFIG_DIR: '/c' },
      { '.claude/settings.json': 'broken', '/c/settings.json': '{"model":"c"}' },
      'c',
    ],
    [claude, [], {}, { '/users/u/.claude/settings.json': '{"model":7}' }, undefined],
    [codex, ['exec', '-m', 'a', '-c', 'model="b"'], {}, codexFiles, 'a'],
    [codex, ['-c', 'model_provider="x"', '-c', 'model="b"'], {}, codexFiles, 'b'],
    [codex, ['exec', 'hi'], {}, codexFiles, 'own'],
    [codex, [], {}, { '/users/u/.codex/config.toml': '[profiles.x]\nmodel = "other"\n' }, undefined],
    [opencode, ['run', '-m', 'openai/a'], {}, {}, 'a'],
    [generic, ['--model', 'a'], {}, {}, undefined],
  ] as const)
    assert.equal(adapter.model?.(args, context(env, files)), wanted, `${adapter.client} ${args.join(' ')}`);
});

describe('tools that mezz offers', () => {
  const offering: Launch = { ...launch, tools: true };
  const url = 'http://127.0.0.1:4141/a/TOK/mcp';

  test('Claude Code is given them in a file of the run, and its prompt is not taken for one', () => {
    for (const hooks of [true, false]) {
      const { command, files } = claude.prepare({ ...offering, hooks }, ['claude', 'a prompt'], context());
      assert.ok(command.includes('--mcp-config=/tmp/run/mcp.json'));
      assert.equal(command.at(-1), 'a prompt');
      const file = files.find(({ path }) => path === '/tmp/run/mcp.json');
      assert.deepEqual(JSON.parse(file?.text ?? ''), { mcpServers: { mezz: { type: 'http', url } } });
    }
  });

  test('Codex is given them by an argument; without any, no client is given anything', () => {
    const { command } = codex.prepare(offering, ['codex'], context());
    assert.equal(command[command.findIndex((arg) => arg.startsWith('mcp_servers')) - 1], '-c');
    assert.ok(command.includes(`mcp_servers.mezz={url="${url}",required=true,startup_timeout_sec=60}`));
    for (const adapter of [claude, codex, opencode, generic]) {
      const plain = adapter.prepare(launch, [adapter.program], context());
      assert.ok(!JSON.stringify(plain).includes('mcp'));
    }
  });

  test("opencode gets them beside the user's own, any other program where they are", () => {
    const own = '{"mcp":{"mine":{"type":"local","command":["x"]}}}';
    const { env } = opencode.prepare(offering, ['opencode'], context({ OPENCODE_CONFIG_CONTENT: own }));
    const { mcp } = JSON.parse(env.OPENCODE_CONFIG_CONTENT ?? '') as { mcp: object };
    const mezz = { type: 'remote', url, enabled: true };
    assert.deepEqual(mcp, { mine: { type: 'local', command: ['x'] }, mezz });
    assert.equal(generic.prepare(offering, ['python'], context()).env.MEZZ_MCP_URL, url);
  });
});
