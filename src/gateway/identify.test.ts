import assert from 'node:assert/strict';
import test from 'node:test';
import { KEY, OpenKernel } from './fixture.test.ts';
import { Heads } from './identify.ts';

const OTHER = 'mezz_jihgfedcba9876543210';
const raw = (key: string, length: string, more: readonly string[] = []): string[] => [
  ...['Host', 'here', 'Authorization', `Bearer ${key}`, 'A', 'b', 'Content-Length', length],
  ...more,
];

test('headers that come again on a connection are the same list, whatever the length of the body', () => {
  const heads = new Heads();
  const kernel = new OpenKernel();
  const first = heads.identify(kernel, undefined, raw(KEY, '10'));
  assert.deepEqual(first.headers, ['Host', 'here', 'A', 'b']);
  assert.equal(first.caller?.keyId, 'k1');
  const again = heads.identify(kernel, undefined, raw(KEY, '11'));
  assert.equal(again.headers, first.headers);
  assert.equal(again.caller?.keyId, 'k1');
});

test('a header that differs makes them other headers, and another key another caller', () => {
  const heads = new Heads();
  const kernel = new OpenKernel();
  heads.identify(kernel, undefined, raw(KEY, '10'));
  assert.deepEqual(heads.identify(kernel, undefined, raw(KEY, '10', ['C', 'd'])).headers.slice(-2), [
    'C',
    'd',
  ]);
  assert.deepEqual(heads.identify(kernel, undefined, raw(KEY, '10', ['C', 'e'])).headers.slice(-2), [
    'C',
    'e',
  ]);
  assert.equal(heads.identify(kernel, undefined, raw(OTHER, '10', ['C', 'e'])).caller, undefined);
  assert.equal(heads.identify(kernel, KEY, raw(OTHER, '10', ['C', 'e'])).caller?.keyId, 'k1');
  // A key is asked about each time: it may have been revoked meanwhile.
  kernel.identify = () => undefined as never;
  assert.equal(heads.identify(kernel, undefined, raw(KEY, '10')).caller, undefined);
});
