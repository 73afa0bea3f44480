import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonRecord } from '../../base/json.ts';
import { flawOf, type ListMember } from './definitions.ts';

const TOOL: JsonRecord = { name: 'tool', inputSchema: { type: 'object' } };
const PROMPT: JsonRecord = { name: 'prompt' };
const RESOURCE: JsonRecord = { name: 'page', uri: 'file:///größe' };
const TEMPLATE: JsonRecord = { name: 'pages', uriTemplate: 'file:///{path}' };
const RIGHT: Readonly<Record<ListMember, JsonRecord>> = {
  tools: TOOL,
  prompts: PROMPT,
  resources: RESOURCE,
  resourceTemplates: TEMPLATE,
};

test('what MCP lets a server say is read, and also what it does not know', () => {
  const said: readonly [ListMember, JsonRecord][] = [
    [
      'tools',
      { inputSchema: { type: 'object', properties: { any: true, text: { type: 'string' } }, $defs: {} } },
    ],
    ['tools', { outputSchema: { type: 'array' }, annotations: { readOnlyHint: true, more: 1 }, later: [1] }],
    ['tools', { title: 'A tool', description: '', icons: [{ src: 'data:,' }], _meta: {}, execution: {} }],
    [
      'prompts',
      {
        arguments: [
          { name: 'topic', required: true },
          { name: 'tone', description: 'how' },
        ],
      },
    ],
    ['resources', { size: 0, mimeType: 'text/plain', annotations: { audience: ['user'] } }],
    ['resourceTemplates', { title: 'Pages' }],
  ];
  for (const [member, more] of said) assert.equal(flawOf(member, { ...RIGHT[member], ...more }), undefined);
  for (const [member, right] of Object.entries(RIGHT))
    assert.equal(flawOf(member as ListMember, right), undefined);
});

test('what no client can read is told by the member that is wrong', () => {
  const wrong: readonly [ListMember, JsonRecord][] = [
    ['tools', { name: '' }],
    ['tools', { name: 5 }],
    ['tools', { description: null }],
    ['tools', { inputSchema: { type: 'string' } }],
    ['tools', { inputSchema: { type: 'object', properties: { a: 'string' } } }],
    ['tools', { inputSchema: { type: 'object', required: 'a' } }],
    ['tools', { outputSchema: 'text' }],
    ['tools', { annotations: { readOnlyHint: 'yes' } }],
    ['prompts', { arguments: { topic: {} } }],
    ['prompts', { arguments: [{ name: 1 }] }],
    ['resources', { uri: undefined as never }],
    ['resources', { size: '12' }],
    ['resourceTemplates', { uriTemplate: 1 }],
  ];
  for (const [member, more] of wrong) {
    const [name] = Object.keys(more);
    assert.equal(flawOf(member, { ...RIGHT[member], ...more }), `its ${name} is not what MCP lets it be`);
  }
  const { inputSchema, ...bare } = TOOL;
  assert.match(flawOf('tools', bare) ?? '', /inputSchema/);
});
