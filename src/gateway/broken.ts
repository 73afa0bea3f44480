/**
 * Requests that never became one: too slow, too long, not HTTP, or an upgrade. The client is told in its dialect where
 * its request says which, and an answer that is on its way on the same connection is never disturbed.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { ERRORS, type Refusal, refusal } from '../base/errors.ts';
import { DIALECTS } from '../wire/registry.ts';
import { refuseAtDoor } from './call.ts';
import type { Underway } from './connection.ts';
import type { Kernel } from './kernel.ts';

export function refuseBroken(
  kernel: Kernel,
  underway: Underway | undefined,
  error: Error & { readonly code?: string },
  socket: Socket,
): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const why = reasonOf(error.code);
  if (!underway || underway.response.writableFinished) return refuseSocket(kernel, socket, why);
  const { request, response, dialect } = underway;
  // What is broken came behind a whole request: that one's answer goes first.
  if (request.complete) return void response.once('finish', () => refuseSocket(kernel, socket, why));
  if (response.headersSent) return void socket.destroy();
  refuseAtDoor(kernel, response, dialect, why);
}

export function refuseUpgrade(kernel: Kernel, request: IncomingMessage, socket: Socket): void {
  const path = request.url?.split('?', 1)[0];
  refuseSocket(
    kernel,
    socket,
    refusal('no_websocket', `${path} does not speak WebSocket yet.`, { remedy: 'use HTTP' }),
  );
}

function reasonOf(code: string | undefined): Refusal {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refusal('slow_client', 'The request did not arrive in time.');
    case 'HPE_HEADER_OVERFLOW':
      return refusal('too_large', 'The headers are too long.');
    case 'HPE_INVALID_EOF_STATE':
      return refusal('bad_request', 'The request ended before it was complete.');
    default:
      return refusal('bad_request', 'This is not HTTP/1.1.');
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  426: 'Upgrade Required',
};

/** An answer without a request to answer, and the end of the connection. */
function refuseSocket(kernel: Kernel, socket: Socket, why: Refusal): void {
  kernel.refusedAtDoor(why.code);
  const { body } = DIALECTS['openai-responses'].encodeError(why);
  const { status } = ERRORS[why.code];
  const head = `HTTP/1.1 ${status} ${REASONS[status]}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  socket.write(`${head}\r\nconnection: close\r\n\r\n${body}`);
  // Not only the half that writes: a client that never closes its own would keep the connection.
  socket.destroySoon();
}
