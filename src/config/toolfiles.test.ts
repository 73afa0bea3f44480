import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addTools, toolLines } from './edit.ts';
import { readConfig } from './read.ts';
import { readToml } from './toml.ts';
import { readToolFile } from './toolfiles.ts';

test('tool servers are found in the files of Claude Code, Cursor and VS Code, and what looks like a secret is left out', () => {
  const files = { command: 'npx', args: ['-y', 'files', '/tmp'], env: { ROOT: '/tmp', API_KEY: 'sk-1' } };
  const expected = [
    {
      id: 'files',
      command: ['npx', '-y', 'files', '/tmp'],
      env: { ROOT: '/tmp', API_KEY: { env: 'API_KEY' } },
      left: ['API_KEY'],
      notes: [],
    },
  ];
  assert.deepEqual(readToolFile('.mcp.json', JSON.stringify({ mcpServers: { files } })), expected);
  const home = { numStartups: 3, projects: { '/work': { mcpServers: { files } } } };
  assert.deepEqual(readToolFile('.claude.json', JSON.stringify(home)), expected);
  const code = `{ // mine
    "servers": { "My Docs!": { "type": "http", "url": "https://docs.invalid/mcp", /* none */
      "headers": { "Authorization": "Bearer x", "x-team": "a//b" }, }, },
  }`;
  assert.deepEqual(readToolFile('.vscode/mcp.json', code), [
    {
      id: 'my-docs',
      url: 'https://docs.invalid/mcp',
      headers: { 'x-team': 'a//b' },
      left: ['Authorization'],
      notes: [],
    },
  ]);
  assert.deepEqual(readToolFile('x.json', '[1]'), []);
});

test('tool servers are found in the settings of Codex', () => {
  const text = `model = "gpt" # the model
approval_policy = 'never'
[mcp_servers.files]
command = "npx"
args = [
  "-y", # yes
  'files',
]
startup_timeout_sec = 20
[mcp_servers.files.env]
ROOT = "/a \\"b\\""
[mcp_servers."the docs"]
url = "https://docs.invalid/mcp"
bearer_token_env_var = "DOCS"
http_headers = { x-team = "a", "x-key" = "b" }
[[other]]
command = "no"
`;
  assert.deepEqual(readToolFile('.codex/config.toml', text), [
    { id: 'files', command: ['npx', '-y', 'files'], env: { ROOT: '/a "b"' }, left: [], notes: [] },
    {
      id: 'the-docs',
      url: 'https://docs.invalid/mcp',
      headers: { 'x-team': 'a' },
      left: ['x-key', 'DOCS'],
      notes: [],
    },
  ]);
  assert.deepEqual(readToml('a.b = 1\nc = """\nlong\n"""\n[d]\ne = true\n? what\nf = [1, [2]]'), {
    a: { b: 1 },
    c: 'long\n',
    d: { e: true, f: [1, [2]] },
  });
});

test('a server of the registry is started by the runner of its package, or reached at its address', () => {
  const server = {
    name: 'io.github.me/files',
    packages: [
      { registryType: 'mcpb', identifier: 'https://files.invalid/a.mcpb' },
      {
        registryType: 'npm',
        identifier: '@me/files',
        version: '1.2.3',
        packageArguments: [
          { type: 'positional', value: '/tmp' },
          { type: 'named', name: '--mode', default: 'ro' },
        ],
        environmentVariables: [
          { name: 'LEVEL', default: 'info' },
          { name: 'PASS', isSecret: true, default: 'x' },
        ],
      },
    ],
  };
  assert.deepEqual(readToolFile('server.json', JSON.stringify(server)), [
    {
      id: 'files',
      command: ['npx', '-y', '@me/files@1.2.3', '/tmp', '--mode', 'ro'],
      env: { LEVEL: 'info', PASS: { env: 'PASS' } },
      left: ['PASS'],
      notes: [],
    },
  ]);
  const remote = { name: 'a/docs', remotes: [{ type: 'streamable-http', url: 'https://docs.invalid/mcp' }] };
  assert.deepEqual(readToolFile('server.json', JSON.stringify(remote)), [
    { id: 'docs', url: 'https://docs.invalid/mcp', left: [], notes: [] },
  ]);
});

test('no secret is taken over from an argument or an address, and what does not work as it stands there is said', () => {
  const args = [
    '--token',
    'abc',
    '--api-key=abc',
    '--author',
    'me',
    '--header',
    'Authorization: Bearer abc',
    '-v',
  ];
  const mcpServers = {
    pg: { command: 'pg', args: ['postgres://me:abc@db/x', 'ghp_abcdefgh12345', ...args], cwd: '/srv' },
    web: {
      url: 'https://me:abc@a.invalid/mcp?api_key=abc&x=1',
      headers: { a: 'sk-abcdefgh1234', b: `\${B_KEY}` },
    },
    old: { type: 'sse', url: 'https://a.invalid/sse', disabled: true },
    odd: { command: `\${workspaceFolder}/run`, env: { A: `\${env:A_KEY}`, B: `\${input:b}` } },
  };
  const text = JSON.stringify({ mcpServers });
  const read = readToolFile('.mcp.json', text);
  assert.ok(!JSON.stringify(read).includes('abc'));
  const filled = 'which the other program fills in: write what it stands for';
  assert.deepEqual(read, [
    {
      id: 'pg',
      command: ['pg', '--author', 'me', '-v'],
      cwd: '/srv',
      left: ['argument 1', 'argument 2', '--token', '--api-key', '--header'],
      notes: [],
    },
    {
      id: 'web',
      url: 'https://a.invalid/mcp?x=1',
      headers: { b: { env: 'B_KEY' } },
      left: ['api_key', 'the login in its address', 'a'],
      notes: [],
    },
    {
      id: 'old',
      url: 'https://a.invalid/sse',
      left: [],
      notes: ['is switched off there', 'speaks a transport of 2024 (sse) there, which mezz does not speak'],
    },
    {
      id: 'odd',
      command: [`\${workspaceFolder}/run`],
      env: { A: { env: 'A_KEY' } },
      left: [],
      notes: [`has \${workspaceFolder}/run, ${filled}`, `has B: \${input:b}, ${filled}`],
    },
  ]);
  assert.equal(readToolFile('.mcp.json', '{'), '.mcp.json is not JSON');
  const lines = toolLines(Array.isArray(read) ? read : []);
  const { problems } = readConfig('mezz.yaml', `tools:\n  ${lines.join('\n  ')}\n`, '/', '/');
  assert.deepEqual(problems, []);
});

test('a package of the registry is told its arguments; what a person must say is named', () => {
  const registry = (one: object) => JSON.stringify({ name: 'a/box', packages: [one] });
  const text = registry({
    registryType: 'pypi',
    identifier: 'box',
    runtimeArguments: [{ type: 'named', name: '--python', value: '3.13' }],
    packageArguments: [
      { type: 'positional', valueHint: 'dir', isRequired: true },
      { type: 'named', name: '--token', isSecret: true },
      { type: 'named', name: '--read-only' },
    ],
    environmentVariables: [{ name: 'REGION', isRequired: true }],
  });
  assert.deepEqual(readToolFile('server.json', text), [
    {
      id: 'box',
      command: ['uvx', '--python', '3.13', 'box', '--read-only'],
      left: ['--token'],
      notes: ['wants a value of dir', 'wants a value of REGION'],
    },
  ]);
  assert.deepEqual(
    readToolFile('server.json', registry({ registryType: 'constructor', identifier: 'x' })),
    [],
  );
});

test('what is taken over is put into mezz.yaml beside what is there, and is right', () => {
  const text = '# mine\ntools:\n  files: { command: [old] } # stays\n\n# the end\n';
  const drafts = [
    { id: 'files', command: ['new'], left: [], notes: [] },
    { id: 'docs', url: 'https://docs.invalid/mcp', left: [], notes: [] },
  ];
  const edited = addTools(text, drafts);
  assert.deepEqual([edited?.added, edited?.kept], [['docs'], ['files']]);
  const after = edited?.text ?? '';
  for (const line of text.split('\n')) assert.ok(after.includes(line), line);
  assert.ok(after.includes(toolLines(drafts)[1] ?? 'none'));
  const { config, problems } = readConfig('mezz.yaml', after, '/', '/');
  assert.deepEqual(problems, []);
  assert.deepEqual(
    config?.tools.map(({ id }) => id),
    ['files', 'docs'],
  );
});
