/** Who mezz is at a remote tool server, in mezz.yaml: what holds, what is told of a mistake, and where its key is read. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readKeys } from './keys.ts';
import { readConfig } from './read.ts';

const read = (auth: object, more: object = { url: 'https://tools.example/mcp' }) =>
  readConfig('mezz.yaml', JSON.stringify({ tools: { box: { ...more, auth } } }), '/etc/mezz', '/home/user');
const mistakes = (auth: object, more?: object) => read(auth, more).problems.map(({ message }) => message);

test('what of a client does not fit together is a mistake of the settings', () => {
  const secret = { env: 'SECRET' };
  assert.deepEqual(mistakes({}), []);
  assert.deepEqual(mistakes({ clientId: 'mezz', secret, grant: 'client_credentials' }), []);
  assert.deepEqual(mistakes({}, { command: ['box'] }), ['is for a server at a url']);
  assert.deepEqual(mistakes({}, { url: 'https://a.example/mcp', headers: { Authorization: 'x' } }), [
    'and a header authorization exclude each other',
  ]);
  assert.deepEqual(mistakes({ secret }), ['needs to say whose credentials these are']);
  assert.deepEqual(mistakes({ clientId: 'mezz', grant: 'client_credentials' }), ['has no credentials']);
  assert.deepEqual(mistakes({ clientId: 'mezz', privateKey: secret }), [
    'takes privateKey and algorithm together',
  ]);
  assert.deepEqual(mistakes({ clientId: 'mezz', secret, privateKey: secret, algorithm: 'ES256' }), [
    'takes a secret or a privateKey',
  ]);
  assert.equal(mistakes({ clientMetadata: 'http://plain.example/mezz.json' }).length, 1);
});

test('a private key of many lines is read from its file, and a secret of many lines is none', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-auth-'));
  try {
    const file = join(directory, 'key.pem');
    const pem = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----';
    writeFileSync(file, `${pem}\n`, { mode: 0o600 });
    const keys = (auth: object) => {
      const { config } = read({ clientId: 'mezz', ...auth });
      assert.ok(config);
      return readKeys(config, {});
    };
    assert.equal(keys({ privateKey: { file }, algorithm: 'ES256' }).toolKeys.get('box'), pem);
    assert.equal(keys({ secret: { file } }).toolKeys.size, 0);
    assert.equal(keys({ secret: { file } }).problems.length, 1);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
