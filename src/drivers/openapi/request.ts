/** One HTTP request, sent once, its answer whole. Redirects are answers: a credential follows none. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Clock } from '../../base/clock.ts';
import { type Refusal, refusal } from '../../base/errors.ts';
import { LIMITS } from '../limits.ts';

// Not imported: an ES import of node:http reads all it exports, and one of them loads a second HTTP client. TLS with its
// first use.
const http = process.getBuiltinModule('node:http');
const https = () => process.getBuiltinModule('node:https');

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly type: string; readonly text: string } | undefined;
}

/** The refusal's code says whether it may have taken effect: `in_doubt`, or not at all. */
export function request(clock: Clock, signal: AbortSignal, sent: Sent): Promise<HttpAnswer | Refusal> {
  const { method, url, body } = sent;
  const headers = {
    ...sent.headers,
    ...(body === undefined
      ? {}
      : { 'content-type': body.type, 'content-length': String(Buffer.byteLength(body.text)) }),
  };
  const place = new URL(url).origin;
  return new Promise((resolve) => {
    let wasConnected = false;
    const failed = (why: string) => {
      stopClock();
      signal.removeEventListener('abort', leave);
      call.destroy();
      // What only reads has no effect that could be in doubt.
      const isSafe = method === 'GET' || method === 'HEAD';
      resolve(
        wasConnected && !isSafe
          ? refusal('in_doubt', `${place} ${why}: it may or may not have taken effect.`, {
              remedy: 'look what is there before doing it again',
            })
          : refusal('unreachable', `${place} ${why}.`),
      );
    };
    const leave = () => failed('was told to stop');
    const stopClock = clock.after(LIMITS.toolMs.value, () =>
      failed(`did not answer in ${LIMITS.toolMs.value / 1000} s`),
    );
    const call = (url.startsWith('https:') ? https() : http).request(url, { method, headers });
    call.on('socket', (socket) => {
      if (!socket.connecting) wasConnected = true;
      // One that was kept for the next call connects no more, and would keep what waits for it.
      else
        socket.once('connect', () => {
          wasConnected = true;
        });
    });
    call.on('error', ({ message }) => failed(`cannot be reached (${message})`));
    call.on('response', (response) => {
      collect(response).then(
        (text) => {
          stopClock();
          signal.removeEventListener('abort', leave);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        },
        (error: Error) => failed(`ended its answer (${error.message})`),
      );
    });
    if (signal.aborted) return leave();
    signal.addEventListener('abort', leave, { once: true });
    call.end(body?.text);
  });
}

async function collect(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > LIMITS.apiAnswerBytes.value)
      throw new Error(`it is longer than ${LIMITS.apiAnswerBytes.value} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
