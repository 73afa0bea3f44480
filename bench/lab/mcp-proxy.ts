/** A plain MCP proxy: reads each JSON-RPC message, sends it on under an id of its own, and puts the caller's id back. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

const pool = new Pool(process.argv[2] as string, { connections: 16, pipelining: 1 });
let last = 0;

async function pass(body: Buffer): Promise<string> {
  const message = JSON.parse(body.toString()) as { id: number };
  const answer = await pool.request({
    method: 'POST',
    path: '/',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ ...message, id: ++last }),
  });
  return JSON.stringify({ ...((await answer.body.json()) as object), id: message.id });
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', async () => {
    const answer = await pass(Buffer.concat(chunks));
    response.writeHead(200, { 'content-type': 'application/json' }).end(answer);
  });
});
server.listen(0, '127.0.0.1', () =>
  process.send?.({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
);
