/** A tool server that does as little as one can: MCP over HTTP, 20 tools, an answer at once and without a session. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Message {
  readonly id?: number | string;
  readonly method: string;
}

const tools = Array.from({ length: 20 }, (_, at) => ({
  name: `tool_${at}`,
  description: `Does the thing number ${at}, and says that it did. `.repeat(5),
  inputSchema: {
    type: 'object',
    properties: { path: { type: 'string' }, n: { type: 'integer' } },
    required: ['path', 'n'],
  },
  annotations: { readOnlyHint: true },
}));
const RESULTS: Readonly<Record<string, object>> = {
  initialize: {
    protocolVersion: '2025-11-25',
    capabilities: { tools: {} },
    serverInfo: { name: 'bench', version: '1' },
  },
  'tools/list': { tools },
  'tools/call': { content: [{ type: 'text', text: 'done '.repeat(100) }] },
};

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.method !== 'POST') return response.writeHead(405).end();
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as Message;
    if (id === undefined) return response.writeHead(202).end();
    const result = RESULTS[method];
    const said = result ? { result } : { error: { code: -32601, message: `no ${method}` } };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...said }));
  });
});
server.listen(0, '127.0.0.1', () =>
  process.send?.({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
);
