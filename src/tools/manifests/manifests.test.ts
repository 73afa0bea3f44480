import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { JsonRecord } from '../../base/json.ts';
import type { ToolCall } from '../../base/syscall.ts';
import { effectsOf } from '../catalog.ts';
import { MemoryWorkspace } from '../workspace.fixture.test.ts';
import { draftManifest, draftTool } from './draft.ts';
import { lintManifest } from './lint.ts';
import { MANIFEST_SCHEMA, manifestSchemaText } from './schema.ts';
import { BY_CLIENT, BY_SOFTWARE, SHIPPED } from './shipped.ts';
import { knownOf } from './sources.ts';
import { fillCommand, fillKey, fillValue } from './template.ts';

const valid = new Ajv2020({ allErrors: true }).compile(MANIFEST_SCHEMA);

describe('manifests', () => {
  test('each shipped one has the form that operators write, and is found by one name', () => {
    for (const file of SHIPPED) assert.ok(valid(file), `${file.about}: ${JSON.stringify(valid.errors)}`);
    assert.equal(BY_SOFTWARE.size + BY_CLIENT.size, SHIPPED.length);
    const schema = new URL('../../../schema/manifest.schema.json', import.meta.url);
    assert.equal(readFileSync(schema, 'utf8'), manifestSchemaText(), 'node src/config/publish.ts');
  });

  test('a wrong key, access, retry class or unknown member is a mistake', () => {
    const tool = (more: object) => ({ tools: { t: { resources: [], ...more } } });
    assert.ok(valid(tool({})));
    for (const wrong of [
      { resources: [{ key: 'path:{x}', access: 'read' }] },
      { resources: [{ key: 'git:branch:{x}', access: 'read' }] },
      { resources: [{ key: 'file:{x}', access: 'write' }] },
      { retry: 'maybe' },
      { costs: 1 },
    ])
      assert.equal(valid(tool(wrong)), false, JSON.stringify(wrong));
    assert.equal(valid({ tools: { t: {} } }), false, 'a tool of which nothing is said');
  });

  test('keys are filled from arguments; one that is missing fills none', () => {
    const input = { path: 'a', paths: ['b', 'c'], n: 7, entities: [{ name: 'x' }, { name: 'y' }], on: true };
    assert.deepEqual(fillKey('file:{path}', input), ['file:a']);
    assert.deepEqual(fillKey('file:{paths}', input), ['file:b', 'file:c']);
    assert.deepEqual(fillKey('server:s/{path}/{n}', input), ['server:s/a/7']);
    assert.deepEqual(fillKey('k:{entities.*.name}', input), ['k:x', 'k:y']);
    assert.deepEqual(fillKey('k:{entities.1.name}', input), ['k:y']);
    assert.deepEqual(fillKey('k:{gone|.}', input), ['k:.']);
    for (const missing of ['{gone}', '{path.a}', '{on}', '{entities}'])
      assert.equal(fillKey(missing, input), undefined);
    assert.equal(
      fillCommand('git {on?-f} {gone?-x} {path}', { ...input, path: "a'; rm -rf ." }),
      "git -f  'a'\\''; rm -rf .'",
    );
    assert.deepEqual(fillValue({ ids: '{entities.*.name}', all: ['{entities}'], text: 'to {path}' }, input), {
      ids: ['x', 'y'],
      all: [input.entities],
      text: 'to a',
    });
    assert.equal(fillValue({ id: '{gone}' }, input), undefined);
  });
});

const brokered = (software: string, tool: string, input: JsonRecord): ToolCall => {
  const spec = { id: 'box', command: [], env: {}, cwd: '/repo' };
  const { manifest } = knownOf(spec, { software, tools: [] }, { name: tool });
  const more = manifest ? { manifest } : {};
  return { server: 'box', tool, input, toolUseId: 'u', how: 'brokered', ...more };
};

const keys = async (call: ToolCall): Promise<string[]> => {
  const workspace = new MemoryWorkspace();
  workspace.write('/repo/.git/HEAD', 'ref: refs/heads/main');
  const effects = await effectsOf(call, '/repo', workspace);
  return effects.map(({ key, access, discards }) => `${access} ${key}${discards ? ` -${discards}` : ''}`);
};

describe('what calls touch', () => {
  test('a git tool touches what the git command does that it runs', async () => {
    assert.deepEqual(await keys(brokered('mcp-git', 'git_commit', { repo_path: '/repo', message: 'x' })), [
      'replace git:/repo/.git/HEAD',
      'delta git:/repo/.git/index',
      'delta git:/repo/.git/refs/heads/main',
    ]);
    const reset = { path: '/repo', mode: 'hard' };
    assert.ok(
      (await keys(brokered('@cyanheads/git-mcp-server', 'git_reset', reset))).includes(
        'replace file:/repo -tracked',
      ),
    );
  });

  test('an argument that is missing makes it the whole server, and so does a tool that nobody describes', async () => {
    for (const [software, tool] of [
      ['@cyanheads/git-mcp-server', 'git_commit'],
      ['mcp-git', 'git_unheard_of'],
      ['nobody knows it', 'do'],
    ] as const)
      assert.deepEqual(await keys(brokered(software, tool, {})), ['delta server:box']);
  });

  test('two spellings of one address are one key', async () => {
    const fetch = (url: string) => keys(brokered('mcp-fetch', 'fetch', { url }));
    assert.deepEqual(await fetch('HTTPS://Example.COM:443/a/./b/../c/?q=1#top'), [
      'read url:https://example.com/a/c',
    ]);
    assert.deepEqual(await fetch('https://user:secret@example.com/a/c'), [
      'read url:https://example.com/a/c',
    ]);
  });

  test("Gemini CLI's own tools touch what they name", async () => {
    const gemini = (tool: string, input: JsonRecord): ToolCall => ({
      ...{ server: 'gemini-cli', tool, input, toolUseId: 'u', how: 'hooked' },
    });
    assert.deepEqual(await keys(gemini('write_file', { file_path: 'a.txt', content: '' })), [
      'replace file:/repo/a.txt',
    ]);
    assert.deepEqual(await keys(gemini('replace', { file_path: '/repo/a.txt' })), ['delta file:/repo/a.txt']);
    assert.deepEqual(await keys(gemini('run_shell_command', { command: 'rm b', dir_path: 'src' })), [
      'replace file:/repo/src/b',
    ]);
  });

  test("the operator's word goes before mezz's, and annotations count where they are trusted", () => {
    const definition = { name: 'fetch', annotations: { readOnlyHint: true } };
    const spec = { id: 'box', command: [], env: {}, cwd: '/' };
    const known = (more: object, software: string) =>
      knownOf({ ...spec, ...more }, { software, tools: [] }, definition);
    const manifest = { tools: { fetch: { resources: [] } } };
    assert.equal(known({ manifest, trusted: true }, 'mcp-fetch').source, 'operator');
    assert.equal(known({ trusted: true }, 'mcp-fetch').source, 'shipped');
    assert.deepEqual(known({ trusted: true }, 'unknown'), {
      source: 'annotations',
      manifest: { resources: [{ key: 'server:{server}', access: 'read' }], retry: 'pure' },
    });
    assert.deepEqual(known({}, 'unknown'), { source: 'none' }, 'nobody asked to trust it');
    assert.equal(
      knownOf({ ...spec, trusted: true }, { software: '', tools: [] }, { name: 'x' }).source,
      'none',
    );
  });
});

describe('drafts', () => {
  const tool = (name: string, args: Record<string, string>, annotations?: JsonRecord) => ({
    name,
    inputSchema: {
      type: 'object',
      required: Object.keys(args),
      properties: Object.fromEntries(Object.entries(args).map(([key, type]) => [key, { type }])),
    },
    ...(annotations ? { annotations } : {}),
  });

  test('say what names and annotations tell, and the whole server where they tell nothing', () => {
    const draft = (...from: Parameters<typeof tool>) => {
      const { resources = [], retry } = draftTool(tool(...from));
      return `${resources.map(({ key, access }) => `${access} ${key}`).join(', ')}${retry ? ` ${retry}` : ''}`;
    };
    assert.equal(draft('readNote', { file_path: 'string' }), 'read file:{file_path} pure');
    assert.equal(draft('note-write', { path: 'string', text: 'string' }), 'replace file:{path}');
    assert.equal(draft('download', { url: 'string' }), 'delta url:{url}');
    assert.equal(draft('send_mail', { to: 'integer' }), 'external server:{server}');
    assert.equal(draft('delete_all', {}), 'delta server:{server}', 'what has no key is not known to be seen');
    assert.equal(draft('get_and_delete', {}), 'delta server:{server}');
    assert.equal(
      draft('list', {}, { readOnlyHint: false }),
      'delta server:{server}',
      'a name is no word against a hint',
    );
    assert.equal(
      draft('frobnicate', {}, { readOnlyHint: false, idempotentHint: true }),
      'delta server:{server} idempotent',
    );
  });

  test('say what HTTP says, where a server is reached by it', () => {
    const told = { resources: [{ key: 'url:http://box/notes/{id}', access: 'replace' as const }] };
    const draft = draftManifest({
      software: 'box',
      tools: [tool('getNote', { id: 'string' }), tool('list', {})],
      manifest: { tools: { getNote: told } },
    });
    assert.deepEqual(draft.tools.getNote, told);
    assert.deepEqual(draft.tools.list, draftTool(tool('list', {})));
  });

  test('fit what they were made from, and have the form of manifests', () => {
    const tools = [tool('read', { path: 'string' }), tool('frob', { n: 'number' })];
    const draft = draftManifest({ software: 'box', tools });
    assert.ok(valid(draft), JSON.stringify(valid.errors));
    assert.deepEqual(lintManifest(draft, tools), []);
  });
});

test('lint finds a tool that is not described or gone, and an argument that does not exist', () => {
  const definition = { name: 'put', inputSchema: { properties: { id: {} } } };
  const undo = { tool: 'drop', input: { key: '{id}' } };
  assert.deepEqual(
    lintManifest(
      {
        tools: {
          put: { resources: [{ key: 'file:{path}', access: 'read' }], retry: 'checkable', undo },
          old: { resources: [] },
        },
      },
      [definition, { name: 'drop', inputSchema: { properties: { id: {} } } }],
    ),
    [
      'drop: is offered and not described: it may write anything of its server',
      'put: {path} is no argument of it',
      'put: key is no argument of drop',
      'put: checkable, and nothing says how to ask',
      'old: is described and not offered',
    ],
  );
});
