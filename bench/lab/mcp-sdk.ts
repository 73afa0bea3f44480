/**
 * The SDK's own server over streamable HTTP, with one session and answers as JSON: it answers `tool_7` itself, or, given
 * an origin, asks the tool server there with the SDK's own client.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const origin = process.argv[2];
const client = new Client({ name: 'bench', version: '1' });
if (origin !== undefined) await client.connect(new StreamableHTTPClientTransport(new URL(origin)) as never);

const server = new Server({ name: 'bench', version: '1' }, { capabilities: { tools: {} } });
server.setRequestHandler(CallToolRequestSchema, async ({ params }) =>
  origin === undefined
    ? { content: [{ type: 'text', text: 'done '.repeat(100) }] }
    : ((await client.callTool(params)) as never),
);
const transport = new StreamableHTTPServerTransport({
  sessionIdGenerator: () => randomUUID(),
  enableJsonResponse: true,
});
await server.connect(transport as never);
const http = createServer((request, response) => void transport.handleRequest(request, response));
http.listen(0, '127.0.0.1', () =>
  process.send?.({ origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}` }),
);
