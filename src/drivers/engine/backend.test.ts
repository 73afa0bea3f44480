import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { defaultThreads, memoryShort } from './backend.ts';
import { ENGINE_VERSION, enginePackages } from './component.ts';
import { Shelf } from './shelf.ts';

test('threads leave a core free where there is one, and a model must fit what is free', () => {
  assert.deepEqual([1, 2, 8].map(defaultThreads), [1, 1, 7]);
  assert.equal(memoryShort(1e9, 2e9), undefined);
  assert.match(String(memoryShort(2e9, 1e9)), /2\.0 GB.*1\.0 GB/);
});

test('what is installed is what was developed with, for this machine alone', () => {
  const packageFile = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  assert.equal(packageFile.devDependencies['node-llama-cpp'], ENGINE_VERSION);
  assert.ok(!('node-llama-cpp' in packageFile.dependencies));
  assert.deepEqual(enginePackages('darwin', 'arm64'), [
    `node-llama-cpp@${ENGINE_VERSION}`,
    `@node-llama-cpp/mac-arm64-metal@${ENGINE_VERSION}`,
  ]);
  assert.equal(enginePackages('aix', 'ppc64'), undefined);
});

test('a model on the shelf is whole, described by its own head, and goes by its name', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-shelf-'));
  try {
    const shelf = new Shelf(join(directory, 'models'));
    const made = await shelf.add({});
    assert.ok(!('problem' in made));
    assert.deepEqual(
      [made.id, made.architecture, made.windowTokens, made.chat, made.licence],
      ['tiny', 'llama', 32_768, true, 'apache-2.0'],
    );
    assert.match(made.name, /random weights/);
    assert.equal(made.sha256.length, 64);
    const again = await shelf.add({ path: made.path, id: 'copy', licence: 'mine', source: 'there' });
    assert.ok(!('problem' in again));
    assert.deepEqual([again.sha256, again.licence, again.source], [made.sha256, 'mine', 'there']);
    assert.deepEqual(
      shelf.list().map(({ id }) => id),
      ['copy', 'tiny'],
    );
    for (const bad of [{ id: '../out' }, { path: join(directory, 'none') }, {}])
      assert.ok('problem' in (await shelf.add(bad)), JSON.stringify(bad));
    assert.deepEqual(
      [shelf.remove('copy'), shelf.remove('copy'), shelf.remove('../models/tiny')],
      [true, false, false],
    );
    assert.equal(shelf.list().length, 1);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
