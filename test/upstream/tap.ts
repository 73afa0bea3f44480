/** A tap between a client and the kernel: passes requests and answers on as they come and keeps both, byte for byte. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request as open } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Tapped {
  readonly method: string;
  readonly url: string;
  readonly sent: Buffer;
  status: number;
  headers: IncomingHttpHeaders;
  received: Buffer;
}

export interface Tap {
  readonly origin: string;
  /** In the order of arrival. */
  readonly exchanges: Tapped[];
  close(): Promise<void>;
}

/** `turn` counts the POST requests from 0; others are probes, and pass. */
export interface TapTurns {
  /** Awaited before a request goes on. */
  before?(turn: number): Promise<void>;
  /** Awaited when an answer is whole; given, no byte of the answer reaches the client earlier. */
  whole?(turn: number): Promise<void>;
}

export async function startTap(target: string, turns: TapTurns = {}): Promise<Tap> {
  const exchanges: Tapped[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    const { method = 'GET', url = '/' } = incoming;
    const exchange: Tapped = { method, url, sent, status: 0, headers: {}, received: Buffer.alloc(0) };
    const turn = exchanges.filter((other) => other.method === 'POST').length;
    exchanges.push(exchange);
    if (method === 'POST') await turns.before?.(turn);
    const headers = { ...incoming.headers, host: new URL(target).host };
    const onward = open(`${target}${url}`, { method, headers }, async (answer) => {
      exchange.status = answer.statusCode ?? 0;
      exchange.headers = answer.headers;
      response.writeHead(exchange.status, answer.rawHeaders);
      const kept: Buffer[] = [];
      try {
        for await (const chunk of answer) {
          kept.push(chunk as Buffer);
          if (!turns.whole) response.write(chunk);
        }
        exchange.received = Buffer.concat(kept);
        if (method === 'POST') await turns.whole?.(turn);
        response.end(turns.whole && exchange.received);
      } catch {
        exchange.received = Buffer.concat(kept);
        response.destroy();
      }
    });
    onward.on('error', () => response.destroy());
    onward.end(sent);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    exchanges,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
