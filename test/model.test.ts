/** `mezz model` as it is typed, against a hub on loopback: what is told, what is asked, what is gone on with. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { sha256Hex } from '../src/base/hash.ts';
import { startMezz } from '../src/cli/fixture.test.ts';
import { readSource } from '../src/cli/models/source.ts';
import { tinyGguf } from '../src/drivers/engine/tiny.ts';
import { startKernel } from './kernel.ts';

/** Larger than what is fetched unasked; what follows a model's tensors is not read. */
const FILE = Buffer.concat([tinyGguf()], 2_000_000);
const NAME = 'hf:jo/little-gguf/Little.Q8.gguf';

interface Hub {
  readonly url: string;
  /** Ranges that were asked for, in order; '' for all of it. */
  readonly fetched: string[];
  cutAt: number;
  size: number;
  sha256: string;
  close(): void;
}

async function startHub(): Promise<Hub> {
  const hub = {
    url: '',
    fetched: [] as string[],
    cutAt: 0,
    size: FILE.length,
    sha256: sha256Hex(FILE),
    close() {},
  };
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/api/models/jo/little-gguf')
      return response.end(JSON.stringify({ id: 'jo/little-gguf', tags: ['gguf', 'license:mit'] }));
    if (request.url !== '/jo/little-gguf/resolve/main/Little.Q8.gguf') return response.writeHead(404).end();
    response.setHeader('x-linked-etag', `"${hub.sha256}"`).setHeader('x-linked-size', hub.size);
    if (request.method === 'HEAD') return response.writeHead(302, { location: '/elsewhere' }).end();
    const range = request.headers.range ?? '';
    hub.fetched.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range)?.[1] ?? 0);
    response.writeHead(range === '' ? 200 : 206, { 'content-length': FILE.length - from });
    if (hub.cutAt === 0) return response.end(FILE.subarray(from));
    response.write(FILE.subarray(from, hub.cutAt), () => response.destroy());
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  hub.close = () => server.closeAllConnections() ?? server.close();
  return hub;
}

async function withHub(
  run: (hub: Hub, mezz: (...argv: string[]) => Promise<Ended>, stateDir: string) => Promise<void>,
) {
  const kernel = await startKernel();
  const hub = await startHub();
  try {
    const mezz = (...argv: string[]) => startMezz(kernel.stateDir, argv, { HF_ENDPOINT: hub.url }).ended;
    await run(hub, mezz, kernel.stateDir);
  } finally {
    hub.close();
    await kernel.close();
  }
}
type Ended = { code: number | null; out: string; err: string };

describe('mezz model', () => {
  test('adds, lists, shows and deletes a file', () =>
    withHub(async (_hub, mezz, stateDir) => {
      const added = await mezz('model', 'add', 'tiny');
      assert.equal(added.code, 0, added.err);
      assert.match(added.out, /^engine\/tiny: 434\.9 kB, licence apache-2\.0, sha256 [0-9a-f]{64}\n$/);
      assert.equal((await mezz('model', 'add', 'tiny')).code, 2);
      const { out } = await mezz('model');
      assert.match(out, /^engine\/\* /m);
      assert.match(out, /^engine\/tiny +434\.9 kB +32\.8k +apache-2\.0 +no +tiny: random weights/m);
      assert.match((await mezz('model', 'show', 'engine/tiny')).out, /^chat +yes$/m);
      const shown = JSON.parse((await mezz('model', 'show', 'tiny', '--json')).out);
      assert.equal(shown.sha256, sha256Hex(tinyGguf()));
      assert.match((await mezz('model', 'rm', 'tiny')).err, /nobody said yes/);
      assert.ok(existsSync(join(stateDir, 'models', 'tiny.gguf')));
      assert.equal((await mezz('model', 'rm', 'tiny', '--yes')).code, 0);
      assert.ok(!existsSync(join(stateDir, 'models', 'tiny.gguf')));
      const none = await mezz('model', 'add', 'nothing.gguf');
      assert.match(none.err, /there is no file/);
    }));

  test('asks before anything large moves, telling size and licence', () =>
    withHub(async (hub, mezz) => {
      const asked = await mezz('model', 'pull', NAME);
      assert.equal(asked.code, 1);
      assert.match(asked.err, /Little\.Q8\.gguf, licence mit, 2\.0 MB/);
      assert.match(asked.err, /nothing was downloaded.*\n.*--yes/);
      hub.size = 1e15;
      const large = await mezz('model', 'pull', NAME, '--yes');
      assert.equal(large.code, 1);
      assert.match(large.err, /needs 1000\.0 TB, and \d.* are free/);
      assert.deepEqual(hub.fetched, []);
    }));

  test('goes on where a download broke off, and takes nothing in that is not what was told', () =>
    withHub(async (hub, mezz) => {
      hub.cutAt = 1_200_000;
      const cut = await mezz('model', 'pull', NAME, '--yes');
      assert.equal(cut.code, 1);
      assert.match(cut.err, /broke off at \d+ bytes.*\n.*goes on from there/);
      hub.cutAt = 0;
      const whole = await mezz('model', 'pull', NAME, '--yes', '--json');
      assert.equal(whole.code, 0, whole.err);
      assert.equal(hub.fetched[0], '');
      assert.match(hub.fetched[1] ?? '', /^bytes=[1-9]\d+-$/);
      const { model } = JSON.parse(whole.out);
      assert.deepEqual(
        [model.id, model.sha256, model.licence, model.source],
        ['little.q8', hub.sha256, 'mit', NAME],
      );
      assert.match((await mezz('model', 'pull', NAME, '--yes')).err, /there is a model little\.q8/);
      hub.sha256 = sha256Hex('another');
      const other = await mezz('model', 'pull', NAME, '--yes', '--name', 'other');
      assert.match(other.err, /not what the hub says/);
      assert.doesNotMatch((await mezz('model')).out, /other/);
    }));

  test('knows what it is told to fetch', () => {
    const hub = 'https://huggingface.co';
    const url = `${hub}/o/r/resolve/main/a/B.gguf`;
    for (const text of ['hf:o/r/a/B.gguf', `${hub}/o/r/blob/main/a/B.gguf`, `${url}?download=true`]) {
      const source = readSource(text);
      assert.ok(source.kind === 'url');
      assert.deepEqual([source.url, source.card, source.name], [url, `${hub}/api/models/o/r`, 'b']);
    }
    assert.equal(readSource('SmolLM2').kind, 'package');
    assert.equal(readSource('https://models.example/x.gguf').name, 'x');
    for (const text of ['hf:o/r', 'ftp://x/y.gguf', 'qwen'])
      assert.throws(() => readSource(text), /GGUF|no model/);
  });
});
