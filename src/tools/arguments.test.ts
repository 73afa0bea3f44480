import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonRecord } from '../base/json.ts';
import { Arguments } from './arguments.ts';

const FILE = {
  type: 'object',
  properties: {
    path: { type: 'string' },
    mode: { enum: ['r', 'w'] },
    edits: { type: 'array', items: { $ref: '#/$defs/edit' } },
  },
  required: ['path'],
  additionalProperties: false,
  $defs: { edit: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } },
};

const told = async (inputSchema: unknown, input: JsonRecord): Promise<string> => {
  const definition = { name: 'box__put', inputSchema } as JsonRecord;
  const refused = await new Arguments().check({ name: 'box__put', digest: 'd', definition }, input);
  return refused?.message ?? 'right';
};

test('arguments that are not what the definition says are refused, by the path of the mistake', async () => {
  assert.equal(await told(FILE, { path: '/a', mode: 'r', edits: [{ text: '' }] }), 'right');
  assert.match(await told(FILE, {}), /they must have required property 'path'/);
  assert.match(await told(FILE, { path: 1 }), /\/path must be string/);
  assert.equal(await told(FILE, { path: '/a', mode: null }), 'right', 'null stands for what is left out');
  assert.match(await told(FILE, { path: null }), /\/path must be string/);
  const nullable = { type: 'object', properties: { x: { type: ['string', 'null'] } }, required: ['x'] };
  assert.equal(await told(nullable, { x: null }), 'right');
  assert.match(await told(FILE, { path: '', edits: [{ text: '' }, {}] }), /\/edits\/1 must have required/);
  assert.match(await told(FILE, { path: '', mode: 'x' }), /\/mode must be equal to one .*\(r, w\)/);
  assert.match(await told(FILE, { path: '', more: 1 }), /additional properties \("more"\)/);
});

test('definitions of an older draft are read as such', async () => {
  const $schema = 'http://json-schema.org/draft-07/schema#';
  const pair = {
    $schema,
    type: 'object',
    properties: { pair: { items: [{ type: 'string' }, { type: 'number' }] } },
  };
  assert.equal(await told(pair, { pair: ['a', 1] }), 'right');
  assert.match(await told(pair, { pair: ['a', 'b'] }), /\/pair\/1 must be number/);
});

test('a definition that refers elsewhere, or cannot be understood, lets nothing pass, and nothing is fetched', async () => {
  const elsewhere = { type: 'object', properties: { a: { $ref: 'http://127.0.0.1:9/schema.json' } } };
  assert.match(
    await told(elsewhere, {}),
    /cannot be checked: can't resolve reference http:\/\/127\.0\.0\.1:9/,
  );
  assert.match(await told('none', {}), /its inputSchema is no object/);
  assert.match(await told({ type: 'thing' }, {}), /cannot be checked/);
  assert.match(await told({ enum: ['x'.repeat(300_000)] }, {}), /too large/);
  const nested = (levels: number): JsonRecord => (levels === 0 ? {} : { not: nested(levels - 1) });
  assert.match(await told(nested(100), {}), /its inputSchema is nested too deep/);
  assert.match(await told({ type: 'object' }, nested(100)), /arguments of box__put are nested too deep/);
});

test('a definition whose check would take years is given up, and the call is told', async () => {
  const pattern = { type: 'object', properties: { s: { type: 'string', pattern: '^(a+)+$' } } };
  assert.equal(await told(pattern, { s: 'aaa' }), 'right');
  assert.match(await told(pattern, { s: 'b' }), /\/s must match pattern/);
  assert.match(await told(pattern, { s: `${'a'.repeat(60)}!` }), /take too long to check by its definition/);
  const twice = { properties: { in: { $ref: '#' } } };
  const recursive = { type: 'object', anyOf: [twice, twice] };
  let deep: JsonRecord = { in: 'no object' };
  for (let level = 0; level < 60; level++) deep = { in: deep };
  assert.match(await told(recursive, deep), /take too long to check by its definition/);
});
