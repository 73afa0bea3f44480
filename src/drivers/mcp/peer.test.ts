import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../base/clock.ts';
import type { Json, JsonRecord } from '../../base/json.ts';
import { Peer } from './peer.ts';

/** No text and no number can be made of it. */
const HOSTILE = { toString: false, valueOf: false };
const MESSAGES: readonly JsonRecord[] = [
  { jsonrpc: '2.0', id: 1, result: { content: [] } },
  { jsonrpc: '2.0', id: 1, error: { code: -32603, message: 'no', data: {} } },
  { jsonrpc: '2.0', id: 7, method: 'ping' },
  { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } },
  { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } },
  { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'x:y' } },
];

/** The value once for each of its places, with something hostile there. */
function* spoiled(value: Json): Iterable<Json> {
  yield HOSTILE;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value))
    for (const one of spoiled(inner)) yield { ...value, [key]: one };
}

test('whatever a server says in place of a number or a text, its listener lives', () => {
  let heard = 0;
  for (const message of MESSAGES)
    for (const one of spoiled(message)) {
      const peer = new Peer(
        new VirtualClock(),
        () => {},
        () => {},
      );
      const asking = {
        who: 'a',
        capabilities: {},
        takesInputRequired: false,
        wantsProgress: true,
        logLevel: 'debug',
        told() {},
        asked: async () => ({ result: {} }),
      };
      void peer.ask('tools/call', {}, { timeoutMs: 1000, asking });
      assert.doesNotThrow(() => peer.hear(one as JsonRecord), JSON.stringify(one));
      heard++;
    }
  assert.ok(heard > 30);
});
