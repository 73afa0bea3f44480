import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { LIMITS } from '../limits.ts';
import { Answer } from './answer.ts';

test('what is told of a call is not kept without end for a client that does not read it; its answer is', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
    const answer = new Answer(response, true, { quietMs: 60_000, heartbeatMs: 60_000 });
    const data = 'x'.repeat(65_536);
    const told = (n: number) => answer.tell({ method: 'notifications/message', params: { n, data } });
    const most = LIMITS.toldBytes.value;
    for (let n = 0; n * data.length < 10 * most; n++) told(n);
    assert.ok(response.writableLength > most / 2 && response.writableLength < most + 2 * data.length);
    answer.end(1, { result: { ended: true } });
    let text = '';
    for await (const chunk of client.setEncoding('utf8')) {
      text += chunk;
      if (text.includes('"ended":true')) break;
    }
    assert.match(text, /"n":0,/);
  } finally {
    client.destroy();
    server.close();
  }
});
