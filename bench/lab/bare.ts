/** The floor: node:http in front, undici's Pool.dispatch behind, bytes and headers passed on, nothing else. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Dispatcher, Pool } from 'undici';

const pool = new Pool(process.argv[2] as string, { connections: 256, pipelining: 1 });
const HOP = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'keep-alive']);

/** `raw` is flat: name, value, name, value. */
function passOn(raw: readonly (string | Buffer)[]): string[] {
  const headers: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = String(raw[i]);
    if (!HOP.has(name.toLowerCase())) headers.push(name, String(raw[i + 1]));
  }
  return headers;
}

function forward(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart() {},
    onResponseStart(controller, status) {
      const headers = passOn(controller.rawHeaders as Buffer[]);
      response.writeHead(status, headers as unknown as Record<string, string>);
    },
    onResponseData(controller, chunk) {
      if (response.write(chunk)) return;
      controller.pause();
      response.once('drain', () => controller.resume());
    },
    onResponseEnd: () => void response.end(),
    onResponseError: () => void response.destroy(),
  };
  const path = request.url as string;
  pool.dispatch({ method: 'POST', path, headers: passOn(request.rawHeaders), body }, handler);
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () =>
    forward(request, response, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)),
  );
});
server.listen(0, '127.0.0.1', () =>
  process.send?.({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }),
);
