/** The agents' port: loopback only, authenticated, Host and Origin checked, only the listed routes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Refusal, refusal } from '../base/errors.ts';
import type { Dialect } from '../wire/dialect.ts';
import { anthropicModel, anthropicModels, openaiModel, openaiModels } from '../wire/models.ts';
import { DIALECTS } from '../wire/registry.ts';
import { Bodies } from './body.ts';
import { refuseBroken, refuseUpgrade } from './broken.ts';
import { notFound, refuseAtDoor, sendError, serveModel } from './call.ts';
import { Connection } from './connection.ts';
import { serveHook } from './hooks.ts';
import { holdsKey } from './identify.ts';
import type { Kernel } from './kernel.ts';
import { LIMITS, PATIENCE, type Patience } from './limits.ts';
import { McpEndpoint } from './mcp/endpoint.ts';
import type { Route } from './routes.ts';

// Not imported: an ES import of node:http reads all it exports, and one of them loads a second HTTP client (45 ms).
const { createServer } = process.getBuiltinModule('node:http');

export interface Gateway {
  readonly origin: string;
  /** Stops listening at once; open answers go on until they end or `cut` is called. */
  stop(): Promise<void>;
  /** Answers whose call has ended may still be leaving: they get a moment, then every connection is closed. */
  cut(): Promise<void>;
}

/** What every request of one gateway needs. */
interface Desk {
  readonly kernel: Kernel;
  /** What a Host header may name: known when the port is. */
  readonly hosts: Set<string>;
  readonly bodies: Bodies;
  readonly mcp: McpEndpoint;
  readonly patience: Patience;
  readonly connections: Map<Socket, Connection>;
}

export async function openGateway(
  kernel: Kernel,
  port: number,
  patience: Patience = PATIENCE,
): Promise<Gateway> {
  const server = createServer(
    {
      maxHeaderSize: LIMITS.headerBytes.value,
      headersTimeout: patience.headersMs,
      requestTimeout: patience.requestMs,
      keepAliveTimeout: LIMITS.keepAliveMs.value,
      connectionsCheckingInterval: patience.slowCheckMs,
      // A missing Host is refused like a foreign one, in words.
      requireHostHeader: false,
    },
    (request, response) => {
      serve(desk, request, response).catch((error: unknown) => {
        // A bug: this answer ends, the process-wide handler decides about the kernel.
        response.destroy();
        queueMicrotask(() => {
          throw error;
        });
      });
    },
  );
  const bodies = new Bodies();
  const desk: Desk = {
    kernel,
    hosts: new Set(),
    bodies,
    mcp: new McpEndpoint(kernel, bodies, patience),
    patience,
    connections: new Map(),
  };
  // A client that closed its half can still be told why its call ended; Node's types do not know this old switch.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.maxConnections = LIMITS.connections.value;
  const { connections } = desk;
  server.on('connection', (socket) => {
    connections.set(socket, new Connection(socket));
    socket.once('close', () => connections.delete(socket));
  });
  server.on('upgrade', (request, socket) => refuseUpgrade(kernel, request, socket as Socket));
  server.on('clientError', (error, socket) =>
    refuseBroken(kernel, connections.get(socket as Socket)?.underway, error, socket as Socket),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  for (const name of ['127.0.0.1', 'localhost', '[::1]']) desk.hosts.add(`${name}:${taken}`);
  return {
    origin: `http://127.0.0.1:${taken}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        desk.mcp.close();
        server.closeIdleConnections();
      }),
    async cut() {
      const until = performance.now() + LIMITS.flushMs.value;
      while (connections.size > 0 && performance.now() < until) {
        server.closeIdleConnections();
        await sleep(LIMITS.flushLookMs.value);
      }
      server.closeAllConnections();
    },
  };
}

async function serve(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { kernel, hosts } = desk;
  const connection = desk.connections.get(request.socket);
  // It broke while its request was read: nobody is there to be told anything.
  if (!connection) return void response.destroy();
  const method = request.method ?? 'GET';
  const matched = connection.match(method, request.url ?? '/');
  const dialect = guessDialect(matched.route, matched.path, request);
  connection.underway = { request, response, dialect };
  const barred = checkOrigin(request, hosts, matched.route);
  if (barred) return refuseAtDoor(kernel, response, dialect, barred);
  const route = matched.route;
  if (route === 'not_found') return refuseAtDoor(kernel, response, dialect, notFound(method, matched.path));
  if (route === 'method_not_allowed') {
    const why = refusal('method_not_allowed', `${method} is not allowed on ${matched.path}.`);
    return refuseAtDoor(kernel, response, dialect, why);
  }
  if (route.to === 'probe' || route.to === 'health') return sendText(response, 200, 'ok\n');
  if (route.to === 'ready')
    return sendText(response, kernel.ready() ? 200 : 503, kernel.ready() ? 'ready\n' : 'not ready\n');
  const { caller, headers } = connection.heads.identify(kernel, matched.token, request.rawHeaders);
  if (!caller) return refuseAtDoor(kernel, response, dialect, UNAUTHORIZED);
  if (holdsKey(matched.path)) return refuseAtDoor(kernel, response, dialect, KEY_IN_URL);
  switch (route.to) {
    case 'metrics':
      return sendText(response, 200, kernel.metrics(), 'text/plain; version=0.0.4; charset=utf-8');
    case 'models':
      return sendModels(kernel, response, dialect, route.id);
    case 'hook':
      return serveHook(desk, caller, route.client, request, response);
    case 'mcp':
      return desk.mcp.serve(caller, route.only, request, response);
    case 'model':
      await serveModel(desk, caller, route, headers, connection.left, response);
  }
}

const UNAUTHORIZED = refusal('unauthorized', 'No valid mezz key came with this request.', {
  remedy: 'mezz run -- <agent> starts an agent with its own key; mezz env prints one for other programs',
});

const KEY_IN_URL = refusal('bad_request', "A key of mezz's is in the URL, which travels on.", {
  remedy: 'send it in x-mezz-key, or at the front of the path as /a/<key>/',
});

/**
 * Browsers send Origin and may be led to any Host by DNS: both are refused. MCP's clients may send the origin that they
 * speak to, which no page has: mezz serves none.
 */
function checkOrigin(
  request: IncomingMessage,
  hosts: ReadonlySet<string>,
  route: Route | string,
): Refusal | undefined {
  const { host = '', origin } = request.headers;
  if (!hosts.has(host.toLowerCase())) {
    return refusal('host_refused', `The Host header "${host.slice(0, 80)}" does not name this server.`);
  }
  if (origin === undefined) return undefined;
  const isOwn = typeof route === 'object' && route.to === 'mcp' && origin === `http://${host.toLowerCase()}`;
  return isOwn ? undefined : refusal('origin_refused', 'Requests from web pages are not accepted.');
}

function guessDialect(route: Route | string, path: string, request: IncomingMessage): Dialect {
  if (typeof route === 'object' && route.to === 'model') return DIALECTS[route.dialect];
  const anthropic = path.includes('/messages') || request.headers['anthropic-version'] !== undefined;
  return anthropic ? DIALECTS.anthropic : DIALECTS['openai-responses'];
}

function sendModels(
  kernel: Kernel,
  response: ServerResponse,
  dialect: Dialect,
  id: string | undefined,
): void {
  const models = kernel.models();
  const anthropic = dialect.name === 'anthropic';
  if (id === undefined) return sendJson(response, anthropic ? anthropicModels(models) : openaiModels(models));
  const model = models.find((candidate) => candidate.name === id);
  if (!model)
    return sendError(
      response,
      dialect,
      refusal('model_unknown', `There is no model "${id}".`, { remedy: 'mezz model' }),
    );
  sendJson(response, anthropic ? anthropicModel(model) : openaiModel(model));
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

function sendText(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
