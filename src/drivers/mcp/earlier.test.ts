/** The stream of what a server of the older era says unasked, in virtual time, over real connections. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { VirtualClock } from '../../base/clock.ts';
import type { ServerChange } from '../../base/ports.ts';
import { EarlierHttp } from './earlier.ts';
import { Link } from './post.ts';
import { Watched } from './watched.ts';

type Listen = (heads: IncomingMessage['headers'], response: ServerResponse) => void;

/** A server whose streams do what `listens` says, one after the other; the last may stay open. */
async function withStreams(
  listens: readonly Listen[],
  work: (seen: IncomingMessage['headers'][], changes: ServerChange[]) => void,
): Promise<void> {
  const seen: IncomingMessage['headers'][] = [];
  const server = createServer((request, response) => {
    if (request.method === 'GET') return listens[seen.push(request.headers) - 1]?.(request.headers, response);
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      const { id, method } = JSON.parse(text) as { id?: number; method: string };
      if (id === undefined) return void response.writeHead(202).end();
      const hello = {
        protocolVersion: '2025-11-25',
        capabilities: {},
        serverInfo: { name: 'a', version: '1' },
      };
      const result = method === 'initialize' ? hello : { tools: [] };
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's1' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = new Link(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, undefined);
  const clock = new VirtualClock();
  const changes: ServerChange[] = [];
  const changed = (change: ServerChange) => void changes.push(change);
  const era = new EarlierHttp({ link, clock, headers: {}, watched: new Watched(), changed }, undefined);
  try {
    await era.introduce();
    while (seen.length < listens.length) {
      const due = clock.nextDue();
      if (due !== undefined) clock.advanceTo(due);
      await turn();
    }
    // What the last one answered has its time to arrive.
    while (listens.length > 1 && changes.length < 1) await turn();
    work(seen, changes);
  } finally {
    await link.close();
    server.close();
  }
}

const changeEvent = (id: number): string =>
  `id: ${id}\ndata: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' })}\n\n`;
const stream = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' });

test('a stream that broke off is taken up again after its last event, in the same session', () =>
  withStreams(
    [
      (_, response) => stream(response).end(changeEvent(7)),
      // Cut before it says anything: the place is still the one before.
      (_, response) => stream(response).write(':\n\n', () => response.destroy()),
      (_, response) => stream(response).write(changeEvent(8)),
    ],
    (seen, changes) => {
      assert.deepEqual(
        seen.map((heads) => heads['last-event-id']),
        [undefined, '7', '7'],
      );
      assert.ok(seen.every((heads) => heads['mcp-session-id'] === 's1'));
      assert.equal(changes[0]?.kind, 'prompts');
    },
  ));

test('a session that is over when its stream is taken up again may have missed something: its lists are asked anew', () =>
  withStreams(
    [
      (_, response) => stream(response).end('id: 3\ndata:\n\n'),
      (_, response) => response.writeHead(404).end(),
    ],
    (_, changes) => assert.deepEqual(changes, [{ kind: 'tools' }]),
  ));
