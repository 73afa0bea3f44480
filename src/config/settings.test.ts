import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Access } from '../access/decide.ts';
import { VirtualClock } from '../base/clock.ts';
import type { BackendId } from '../base/ids.ts';
import { seededRandom } from '../base/random.ts';
import { MemoryStore } from '../db/memory/store.ts';
import { Shelf } from '../drivers/engine/shelf.ts';
import { Gate } from '../gate/gate.ts';
import { openParts } from '../gate/open.ts';
import { Settings } from './settings.ts';

const read = (name: string) => readFileSync(new URL(`../../policies/${name}`, import.meta.url), 'utf8');
const shipped = { schema: read('schema.cedarschema'), policies: read('default.cedar') };
const BACKENDS = (slots: number) => `backends:
  box: { url: 'http://127.0.0.1:9/v1', dialects: [openai-chat], credential: local }
  other: { url: 'http://127.0.0.1:9/v1', dialects: [openai-chat], credential: local, slots: ${slots} }
`;

async function openSettings(directory: string, configPath: string | undefined) {
  const clock = new VirtualClock(1);
  const told: number[] = [];
  const settings = await Settings.open({
    engine: { shelf: new Shelf(join(directory, 'models')), component: directory },
    logins: join(directory, 'logins'),
    configPath,
    env: { MEZZ_HOME: directory },
    clock,
    shipped,
    told: (problems) => told.push(problems.length),
  });
  const parts = await openParts({
    store: new MemoryStore(),
    clock,
    random: seededRandom(1),
    ...settings.opening,
    access: new Access({ ...settings.access, schema: shipped.schema }),
  });
  await settings.enter(parts);
  settings.watch(new Gate(parts));
  return { settings, parts, told };
}

test('a mezz.yaml that was made after the start is read and kept to', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-settings-'));
  try {
    const { settings, parts } = await openSettings(directory, undefined);
    assert.equal(settings.file, null);
    const file = join(directory, 'mezz.yaml');
    writeFileSync(file, 'hostedTools: [mcp]');
    assert.deepEqual(await settings.reload(), []);
    assert.equal(settings.file, file);
    assert.deepEqual(parts.settings.hostedTools, ['mcp']);
    rmSync(file);
    assert.match((await settings.reload()).join(), /cannot be read/);
    assert.deepEqual(
      parts.settings.hostedTools,
      ['mcp'],
      'a file that is gone is a mistake, not the defaults',
    );
    await settings.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('a backend that stayed the same keeps its driver, one that changed or was given a key gets another', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-settings-'));
  const file = join(directory, 'mezz.yaml');
  const key = join(directory, 'key');
  const write = (text: string) => writeFileSync(file, text);
  try {
    write(BACKENDS(1));
    const { settings, parts, told } = await openSettings(directory, file);
    const driver = (id: string) => parts.backends.get(id as BackendId);
    const before = { box: driver('box'), other: driver('other') };
    write(`${BACKENDS(2)}loop: { repeats: 3 }\n`);
    assert.deepEqual(await settings.reload(), []);
    assert.equal(driver('box'), before.box);
    assert.notEqual(driver('other'), before.other);
    write('backends: { box: null');
    assert.equal((await settings.reload()).length, 1);
    assert.equal(driver('box'), before.box, 'a mistake');
    writeFileSync(key, 'one', { mode: 0o600 });
    write(BACKENDS(2).replaceAll('credential: local', `credential: kernel, key: { file: ${key} }`));
    await settings.reload();
    const keyed = driver('box');
    assert.notEqual(keyed, before.box);
    writeFileSync(key, 'two');
    await settings.reload();
    assert.notEqual(driver('box'), keyed, 'another key');
    rmSync(key);
    const withKey = driver('box');
    assert.match((await settings.reload()).join(), /backends\.box\.key: .*cannot be read/);
    assert.equal(driver('box'), withKey, 'a key that is gone is a mistake: the old one stays');
    assert.ok(told.includes(0) && told.includes(1), 'it was told what is in force and what is wrong');
    await settings.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
