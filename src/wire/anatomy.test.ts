import assert from 'node:assert/strict';
import test from 'node:test';
import type { JsonRecord } from '../base/json.ts';
import { takeStock } from './anatomy.ts';

const size = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const stock = (body: JsonRecord) => takeStock(body, size(body));
const sizes = (body: JsonRecord) => {
  const sums: Record<string, number> = {};
  for (const { what, bytes } of stock(body)) sums[what] = (sums[what] ?? 0) + bytes;
  return sums;
};

test('a Messages request: blocks are what they are, not what their role says', () => {
  const system = [{ type: 'text', text: 'be brief' }];
  const tools = [{ name: 'Bash', input_schema: { type: 'object' } }];
  const call = { type: 'tool_use', id: 't1', name: 'Bash', input: { command: 'ls' } };
  const thinking = { type: 'thinking', thinking: 'hm', signature: 's' };
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } };
  const result = { type: 'tool_result', tool_use_id: 't1', content: 'a\nb' };
  const body = {
    model: 'm',
    max_tokens: 9,
    system,
    tools,
    messages: [
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: [thinking, call] },
      { role: 'user', content: [result, image] },
    ],
  };
  const found = stock(body);
  assert.deepEqual(
    found.map(({ what, name, message }) => [what, name, message]),
    [
      ['system', null, null],
      ['tools', 'Bash', null],
      ['user', null, 0],
      ['thinking', null, 1],
      ['tool calls', 'Bash', 1],
      ['tool results', 'Bash', 2],
      ['media', null, 2],
      ['rest', null, null],
    ],
  );
  assert.equal(sizes(body).system, size(system));
  assert.equal(sizes(body)['tool calls'], size(call));
  assert.equal(
    found.reduce((sum, { bytes }) => sum + bytes, 0),
    size(body),
    'every byte is in one piece',
  );
});

test('a Chat request: system among the messages, calls beside the content', () => {
  const call = { id: 't1', type: 'function', function: { name: 'read', arguments: '{}' } };
  const body = {
    model: 'm',
    tools: [{ type: 'function', function: { name: 'read', parameters: {} } }],
    messages: [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 't1', content: 'found' },
    ],
  };
  const found = stock(body).map(({ what, name }) => (name ? `${what} ${name}` : what));
  assert.deepEqual(found, ['tools read', 'system', 'user', 'tool calls read', 'tool results read', 'rest']);
});

test('a Responses request: items by their type, and tools that come as an item', () => {
  const body = {
    model: 'm',
    instructions: 'be brief',
    input: [
      { type: 'additional_tools', tools: [{ type: 'custom', name: 'exec' }] },
      { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'x' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'y' }] },
      { type: 'reasoning', id: 'r', summary: [] },
      { type: 'custom_tool_call', call_id: 'c', name: 'exec', input: 'z' },
      { type: 'custom_tool_call_output', call_id: 'c', output: 'done' },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'ok' }] },
    ],
  };
  const found = stock(body).map(({ what, name }) => (name ? `${what} ${name}` : what));
  assert.deepEqual(found, [
    'system',
    'tools exec',
    'system',
    'user',
    'thinking',
    'tool calls exec',
    'tool results exec',
    'assistant',
    'rest',
  ]);
  assert.deepEqual(sizes({ model: 'm', input: 'just this' }).user, size('just this'));
});
