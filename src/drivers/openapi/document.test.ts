import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRecord, type JsonRecord } from '../../base/json.ts';
import { readDocument } from './document.ts';

const responses = { 200: { description: 'ok' } };
const write = (operationId: string, content: object) => ({
  post: { operationId, requestBody: { content }, responses },
});
const json = (schema: object) => ({ 'application/json': { schema } });
const document = (paths: object, more: object = {}) => ({
  openapi: '3.0.3',
  info: { title: 'Pets', version: '1' },
  servers: [{ url: 'https://{place}.example.com/v1/', variables: { place: { default: 'eu' } } }],
  paths,
  ...more,
});
const bodyOf = (tool: JsonRecord | undefined) => {
  const { inputSchema } = tool ?? {};
  return isRecord(inputSchema) && isRecord(inputSchema.properties) ? inputSchema.properties.body : undefined;
};

test('the words of OpenAPI 3.0 become those of JSON Schema, and a property may have the name of one', async () => {
  const schema = {
    type: 'object',
    properties: {
      age: { type: 'integer', minimum: 0, exclusiveMinimum: true },
      size: { type: 'number', maximum: 9, exclusiveMaximum: false },
      name: { type: 'string', nullable: true },
      owner: { nullable: true, allOf: [{ type: 'object' }] },
      nullable: { type: 'boolean' },
    },
  };
  const { tools } = await readDocument(
    document({ '/pets': write('add', json(schema)) }),
    'file:///pets.json',
  );
  assert.deepEqual(bodyOf(tools[0]), {
    type: 'object',
    properties: {
      age: { type: 'integer', exclusiveMinimum: 0 },
      size: { type: 'number', maximum: 9 },
      name: { type: ['string', 'null'] },
      owner: { anyOf: [{ allOf: [{ type: 'object' }] }, { type: 'null' }] },
      nullable: { type: 'boolean' },
    },
  });
});

test('what takes another body than JSON, and what is at another service, is no tool; a path may have a server of its own', async () => {
  const get = (operationId: string) => ({ get: { operationId, responses } });
  const paths = {
    '/plain': write('plain', { 'text/plain': {}, ...json({}), 'application/hal+json': {} }),
    '/patch': write('patch', { 'application/merge-patch+json': { schema: {} } }),
    '/any': write('any', { '*/*': { schema: {} } }),
    '/upload': write('upload', { 'multipart/form-data': { schema: { type: 'object' } } }),
    '/old': { servers: [{ url: 'https://eu.example.com/v0' }], ...get('old') },
    '/other': { servers: [{ url: 'https://other.example.com' }], ...get('other') },
  };
  const { operations, baseUrl, left } = await readDocument(document(paths), 'file:///pets.json');
  assert.deepEqual(left, [
    'POST /upload is no tool: its body is no JSON',
    'GET /other is no tool: it is at another service, https://other.example.com/',
  ]);
  assert.equal(baseUrl, 'https://eu.example.com/v1');
  assert.deepEqual(
    [...operations].map(([name, { baseUrl: at, bodyType }]) => [
      name,
      at.replace('https://eu.example.com', ''),
      bodyType,
    ]),
    [
      ['plain', '/v1', 'application/json'],
      ['patch', '/v1', 'application/merge-patch+json'],
      ['any', '/v1', 'application/json'],
      ['old', '/v0', undefined],
    ],
  );
  const moved = await readDocument(document(paths), 'file:///pets.json', 'http://127.0.0.1:1/here');
  assert.equal(
    moved.operations.get('old')?.baseUrl,
    'http://127.0.0.1:1/here',
    'what the operator says holds for all',
  );
});

test('a document of before OpenAPI 3 says what to do', async () => {
  const old = { swagger: '2.0', info: { title: 'Old', version: '1' }, host: 'example.com', paths: {} };
  await assert.rejects(readDocument(old, 'file:///old.json'), /it is Swagger 2\.0: convert it to OpenAPI 3/);
  await assert.rejects(readDocument({ a: 1 }, 'file:///a.json'), /it is no OpenAPI document/);
});
