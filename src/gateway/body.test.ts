import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { Bodies } from './body.ts';
import { LIMITS } from './limits.ts';

function requestOf(body: Buffer | string): IncomingMessage {
  const request = Object.assign(new PassThrough(), { headers: {} });
  request.end(body);
  return request as unknown as IncomingMessage;
}

test('all bodies together have a bound, and a call that does not fit is told when to come back', async () => {
  const bodies = new Bodies();
  const first = bodies.hold();
  assert.ok(bodies.take(LIMITS.heldBytes.value - 100));
  assert.equal((await first.collect(requestOf('x'.repeat(60)), 1000)).toString(), 'x'.repeat(60));
  const second = bodies.hold();
  const refused = await second.collect(requestOf('x'.repeat(60)), 1000);
  assert.ok('code' in refused && refused.code === 'busy' && refused.retryAfterMs);
  second.release();
  first.release();
  assert.ok(!('code' in (await second.collect(requestOf('x'.repeat(60)), 1000))), 'room that is given back');
});

test('what a body becomes when it is decoded counts too', async () => {
  const bodies = new Bodies();
  const held = bodies.hold();
  const packed = gzipSync('x'.repeat(10_000));
  assert.ok(bodies.take(LIMITS.heldBytes.value - packed.length - 5000));
  const body = await held.collect(requestOf(packed), 1000);
  assert.ok(!('code' in body));
  const decoded = await held.decode('gzip', body);
  assert.ok('code' in decoded && decoded.code === 'busy');
});
