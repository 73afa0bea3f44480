/** An HTTP service as tools, through a real kernel: a real server with versions, limits and keys of repetition. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Launch } from '../src/base/control.ts';
import { send, startKernel } from './kernel.ts';

const NODE = {
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string' },
    size: { type: 'integer' },
    next: { $ref: '#/components/schemas/Node' },
  },
};
const ID = { name: 'id', in: 'path', required: true, schema: { type: 'integer', minimum: 1 } };
const body = {
  required: true,
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Node' } } },
};
const responses = { 200: { description: 'ok' } };
const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Nodes', version: '1' },
  servers: [{ url: 'http://127.0.0.1:1/nowhere' }],
  paths: {
    '/nodes': {
      post: {
        operationId: 'addNode',
        parameters: [{ name: 'Idempotency-Key', in: 'header', schema: { type: 'string' } }],
        requestBody: body,
        responses,
      },
      get: {
        operationId: 'listNodes',
        parameters: [
          { name: 'tag', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
          { name: 'ids', in: 'query', explode: false, schema: { type: 'array', items: { type: 'integer' } } },
          { name: 'where', in: 'query', style: 'deepObject', schema: { type: 'object' } },
        ],
        responses,
      },
    },
    '/notes/{name}': {
      get: {
        operationId: 'getNote',
        parameters: [{ ...ID, name: 'name', schema: { type: 'string' } }],
        responses,
      },
    },
    '/moved': { get: { operationId: 'moved', responses } },
    '/nodes/{id}': {
      parameters: [ID],
      get: {
        operationId: 'getNode',
        summary: 'One node',
        parameters: [{ name: 'view', in: 'query', schema: { type: 'string' } }],
        responses,
      },
      put: {
        operationId: 'putNode',
        parameters: [{ name: 'If-Match', in: 'header', schema: { type: 'string' } }],
        requestBody: body,
        responses,
      },
      delete: { operationId: 'deleteNode', responses },
      patch: {
        operationId: 'patchNode',
        requestBody: { content: { 'application/merge-patch+json': { schema: { type: 'object' } } } },
        responses,
      },
    },
  },
  components: { schemas: { Node: NODE } },
};

/** Nodes with versions. `busy`: how many of the next requests are told to come later. */
async function startService() {
  const nodes = new Map<string, { version: number; value: unknown }>();
  const seen: { readonly line: string; readonly headers: IncomingMessage['headers'] }[] = [];
  const state = { busy: 0, isMute: false };
  const byKey = new Map<string, unknown>();
  const serve = (request: IncomingMessage, response: ServerResponse, text: string) => {
    const { method = '', url = '', headers } = request;
    seen.push({ line: `${method} ${url}`, headers });
    const reply = (status: number, value: unknown, more: Record<string, string> = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...more });
      response.end(JSON.stringify(value));
    };
    if (state.busy > 0) {
      state.busy--;
      return reply(429, { error: 'slow down' }, { 'retry-after': '1' });
    }
    if (url.startsWith('/api/moved')) return reply(302, {}, { location: 'http://127.0.0.1:1/steal' });
    if (method === 'POST') {
      const key = String(headers['idempotency-key']);
      if (!byKey.has(key))
        byKey.set(key, { id: nodes.set(`${nodes.size + 1}`, { version: 1, value: JSON.parse(text) }).size });
      if (state.isMute) return void request.socket.destroy();
      return reply(200, byKey.get(key));
    }
    const [id = '', view] = (url.split('/').at(-1) ?? '').split('?');
    const node = nodes.get(id);
    if (url.startsWith('/api/nodes?') || !node) return reply(node || url.includes('?') ? 200 : 404, { url });
    const match = headers['if-match'];
    if (match !== undefined && match !== `"${node.version}"`) return reply(412, { error: 'another version' });
    if (method === 'PUT') nodes.set(id, { version: node.version + 1, value: JSON.parse(text) });
    const now = nodes.get(id) ?? node;
    reply(200, now.value, { etag: `"${now.version}${view === undefined ? '' : ' short'}"` });
  };
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (piece) => {
      text += piece;
    });
    request.on('end', () => serve(request, response, text));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { nodes, seen, state, base: `http://127.0.0.1:${port}/api`, close: () => server.close() };
}

async function withService(
  work: (room: Awaited<ReturnType<typeof openRoom>>) => Promise<void>,
): Promise<void> {
  const room = await openRoom();
  try {
    await work(room);
  } finally {
    await room.kernel.close();
    room.service.close();
    rmSync(room.directory, { recursive: true, force: true });
  }
}

async function openRoom() {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-openapi-'));
  const service = await startService();
  const document = join(directory, 'nodes.json');
  writeFileSync(document, JSON.stringify(DOCUMENT));
  writeFileSync(join(directory, 'key'), 'service-secret', { mode: 0o600 });
  const tools = {
    nodes: { openapi: document, baseUrl: service.base, key: { file: join(directory, 'key') } },
  };
  const kernel = await startKernel(undefined, `tools: ${JSON.stringify(tools)}`);
  const rpc = async (agent: Launch, method: string, params: object) => {
    const text = JSON.stringify({ jsonrpc: '2.0', id: 7, method, params });
    const reply = await send(`${agent.origin}/a/${agent.token}/mcp`, text);
    return JSON.parse(reply.body.toString()).result;
  };
  const call = async (agent: Launch, name: string, input: object) => {
    const result = await rpc(agent, 'tools/call', { name: `nodes__${name}`, arguments: input });
    return { isError: result.isError === true, text: String(result.content[0].text) };
  };
  return { directory, service, kernel, rpc, call };
}

test('operations are tools: types and references as the document words them, effects as HTTP says', () =>
  withService(async ({ kernel, rpc, service }) => {
    const { tools } = await rpc(await kernel.agent(), 'tools/list', {});
    const schema = (name: string) =>
      tools.find((tool: { name: string }) => tool.name === `nodes__${name}`).inputSchema;
    assert.deepEqual(schema('putNode'), {
      type: 'object',
      properties: { id: { type: 'integer', minimum: 1 }, body: { $ref: '#/$defs/Node' } },
      required: ['id', 'body'],
      additionalProperties: false,
      $defs: { Node: { ...NODE, properties: { ...NODE.properties, next: { $ref: '#/$defs/Node' } } } },
    });
    assert.deepEqual(
      Object.keys(schema('addNode').properties),
      ['body'],
      'mezz says the key of repetition itself',
    );
    const known = (await kernel.control.call('tool.manifest', {})).tools.filter(({ name }) =>
      name.startsWith('nodes__'),
    );
    assert.deepEqual(
      known.map(({ name, source, manifest }) => [
        name.replace('nodes__', ''),
        source,
        manifest?.retry,
        ...(manifest?.resources ?? []).map(
          ({ key, access }) => `${access} ${key.replace(`url:${service.base}`, '')}`,
        ),
      ]),
      [
        ['addNode', 'http', 'keyed', 'delta /nodes'],
        ['deleteNode', 'http', 'idempotent', 'replace /nodes/{id}'],
        ['getNode', 'http', 'pure', 'read /nodes/{id}'],
        ['getNote', 'http', 'pure', 'read /notes/{name}'],
        ['listNodes', 'http', 'pure', 'read /nodes'],
        ['moved', 'http', 'pure', 'read /moved'],
        ['patchNode', 'http', 'unsafe', 'delta /nodes/{id}'],
        ['putNode', 'http', 'idempotent', 'replace /nodes/{id}'],
      ],
    );
    assert.deepEqual((await kernel.control.call('tool.lint', {})).problems, []);
  }));

test('what an agent has read is the condition of its write: what it never saw is refused, by mezz or by the service', () =>
  withService(async ({ kernel, service, call }) => {
    const [ann, bob] = [await kernel.agent('ann'), await kernel.agent('bob')];
    await call(ann, 'addNode', { body: { name: 'one' } });
    for (const agent of [ann, bob]) assert.match((await call(agent, 'getNode', { id: 1 })).text, /one/);
    assert.equal((await call(bob, 'putNode', { id: 1, body: { name: "bob's" } })).isError, false);
    const told = await call(ann, 'putNode', { id: 1, body: { name: "ann's" } });
    assert.equal(told.isError, true);
    assert.match(told.text, /nodes\/1 was changed by bob \(\d+\) with putNode, \d+ s ago.*read it again/s);
    assert.deepEqual(service.nodes.get('1')?.value, { name: "bob's" });
    await call(ann, 'getNode', { id: 1 });
    service.nodes.set('1', { version: 3, value: { name: 'round mezz' } });
    const refused = await call(ann, 'putNode', { id: 1, body: { name: "ann's" } });
    assert.equal(refused.isError, true);
    assert.match(refused.text, /changed by somebody else since you last read it.*read it again/s);
    assert.deepEqual(service.nodes.get('1')?.value, { name: 'round mezz' });
    await call(ann, 'getNode', { id: 1 });
    assert.equal((await call(ann, 'putNode', { id: 1, body: { name: 'both' } })).isError, false);
    assert.equal(
      (await call(ann, 'putNode', { id: 1, body: { name: 'both, again' } })).isError,
      false,
      'its own write it knows',
    );
    assert.deepEqual(
      service.seen.filter(({ line }) => line.startsWith('PUT')).map(({ headers }) => headers['if-match']),
      ['"1"', '"2"', '"3"', '"4"'],
    );
    await call(ann, 'getNode', { id: 1, view: 'short' });
    await call(ann, 'putNode', { id: 1, body: { name: 'whole' } });
    assert.equal(service.seen.at(-1)?.headers['if-match'], '"5"', 'another view of it has another tag');
    await call(ann, 'listNodes', {});
    await call(ann, 'addNode', { body: { name: 'more' } });
    assert.equal(service.seen.at(-1)?.headers['if-match'], undefined, 'what is added depends on no version');
  }));

test('each call is sent with its id as the key of repetition, and one that was cut is in doubt', () =>
  withService(async ({ kernel, service, call }) => {
    const ann = await kernel.agent('ann');
    await call(ann, 'addNode', { body: { name: 'one' } });
    await call(ann, 'addNode', { body: { name: 'two' } });
    const { calls } = await kernel.control.call('calls', { agent: 'ann' });
    const keys = service.seen.map(({ headers }) => headers['idempotency-key']);
    assert.deepEqual([...keys].sort(), calls.map(({ id }) => id).sort());
    service.state.isMute = true;
    assert.match(
      (await call(ann, 'addNode', { body: { name: 'three' } })).text,
      /may or may not have taken effect/,
    );
    assert.ok(service.seen.every(({ headers }) => headers.authorization === 'Bearer service-secret'));
  }));

test('a limit is told with the time to wait, a redirect is not followed, and no value leaves its place in the path', () =>
  withService(async ({ kernel, service, call }) => {
    const ann = await kernel.agent('ann');
    service.state.busy = 1;
    const busy = await call(ann, 'listNodes', {});
    assert.match(busy.text, /takes no more just now \(HTTP 429\): again in 1 s/);
    const { calls } = await kernel.control.call('calls', { agent: 'ann' });
    assert.equal(calls[0]?.code, 'busy');
    assert.equal((await call(ann, 'listNodes', { tag: ['a b', 'c&d'] })).isError, false);
    const { events } = await kernel.control.call('locks', {});
    const waited = events.map(({ kind, key }) => `${kind} ${key}`);
    assert.deepEqual(waited, ['full calls:nodes'], 'it waited until it may');
    assert.equal(service.seen.at(-1)?.line, 'GET /api/nodes?tag=a+b&tag=c%26d');
    await call(ann, 'listNodes', { ids: [1, 2], where: { name: 'a b' } });
    assert.equal(service.seen.at(-1)?.line, 'GET /api/nodes?ids=1%2C2&where%5Bname%5D=a+b');
    await call(ann, 'patchNode', { id: 1, body: { size: 1 } });
    assert.equal(service.seen.at(-1)?.headers['content-type'], 'application/merge-patch+json');
    const sent = service.seen.length;
    for (const name of ['..', '.', '']) assert.equal((await call(ann, 'getNote', { name })).isError, true);
    assert.equal(service.seen.length, sent, 'nothing was sent');
    await call(ann, 'getNote', { name: 'a/../../b' });
    assert.equal(service.seen.at(-1)?.line, 'GET /api/notes/a%2F..%2F..%2Fb');
    assert.match((await call(ann, 'moved', {})).text, /HTTP 302/);
    assert.equal(service.seen.at(-1)?.line, 'GET /api/moved');
  }));

test('a document that is wrong says so, and so does one that refers elsewhere', () =>
  withService(async ({ kernel, directory }) => {
    const write = (document: object) =>
      writeFileSync(join(directory, 'nodes.json'), JSON.stringify(document));
    const problem = async () => (await kernel.control.call('tools', {})).problems.join();
    write({
      ...DOCUMENT,
      paths: { '/x': { get: { responses: { 200: { $ref: 'file:///etc/hostname' } } } } },
    });
    assert.match(await problem(), /description of nodes cannot be read: it refers to another place/);
    write({ ...DOCUMENT, paths: 7 });
    assert.match(await problem(), /description of nodes cannot be read/);
    write(DOCUMENT);
    assert.equal(await problem(), '');
    write({ ...DOCUMENT, servers: [{ url: 'http://192.0.2.1/api' }] });
    const config = join(kernel.stateDir, 'mezz.yaml');
    const withoutBase = readFileSync(config, 'utf8').replace(/"baseUrl":"[^"]*",/, '');
    await kernel.restart(async () => writeFileSync(config, withoutBase));
    assert.match(await problem(), /its key would travel unencrypted/);
  }));
