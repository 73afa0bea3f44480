/** A tool server of one tool on real files: `count` reads the number in a file, works for a while, and writes the next. */
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

interface Message {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: { readonly arguments?: { readonly path: string; readonly ms: number } };
}

const properties = { path: { type: 'string' }, ms: { type: 'integer' }, n: { type: 'integer' } };
const tools = [{ name: 'count', inputSchema: { type: 'object', properties, required: ['path', 'ms'] } }];
const capabilities = { tools: {} };
const hello = { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'files', version: '1' } };

async function resultOf({ method, params }: Message): Promise<object | undefined> {
  if (method === 'initialize') return hello;
  if (method === 'tools/list') return { tools };
  const asked = params?.arguments;
  if (method !== 'tools/call' || !asked) return undefined;
  const read = Number(await readFile(asked.path, 'utf8'));
  await sleep(asked.ms);
  await writeFile(asked.path, String(read + 1));
  return { content: [{ type: 'text', text: `counted ${read + 1}` }] };
}

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (request.method !== 'POST') return response.writeHead(405).end();
  const message = JSON.parse(Buffer.concat(chunks).toString()) as Message;
  if (message.id === undefined) return response.writeHead(202).end();
  const result = await resultOf(message);
  const said = result ? { result } : { error: { code: -32601, message: `no ${message.method}` } };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...said }));
});
server.listen(0, '127.0.0.1', () =>
  process.send?.({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
);
