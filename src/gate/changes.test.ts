import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REQUEST } from '../db/schema/journal.ts';
import { CHANGE } from '../db/schema/tools.ts';
import { planErasure } from '../journal/erasure.ts';
import { retire } from '../journal/retention.ts';
import { LIMITS } from '../tools/limits.ts';
import { FILE, openRoom } from './room.fixture.test.ts';

/** A room that keeps contents, as a kernel does by default. */
async function openKeeping() {
  const room = await openRoom();
  room.parts.settings = { ...room.parts.settings, bodies: 'keep' };
  const changes = () => room.parts.store.range(CHANGE, { limit: 100 });
  const contentOf = async (hash: string) =>
    Buffer.from((await room.parts.store.blob('me', hash)) ?? Buffer.from('gone')).toString();
  return { ...room, changes, contentOf };
}

test('a refused replace shows what changed since its agent last looked, and says so where that is not kept', async () => {
  const { hire, workspace, parts } = await openKeeping();
  const lines = Array.from({ length: 30 }, (_, n) => `line ${n}`);
  workspace.write(FILE, lines.join('\n'));
  const [a, b] = [await hire('ann'), await hire('bob')];
  await a.read();
  await b.read();
  lines[12] = "bob's line";
  lines.splice(20, 1);
  await b.write(lines.join('\n'));
  const refused = await a.write("ann's");
  assert.match(refused?.message ?? '', /changed by bob/);
  assert.equal(
    refused?.detail,
    [
      ...['What changed since:', ' line 10', ' line 11', '-line 12', "+bob's line", ' line 13', ' line 14'],
      ...[' ...', ' line 18', ' line 19', '-line 20', ' line 21', ' line 22'],
    ].join('\n'),
  );
  const entries = await parts.store.entries({ limit: 1000 });
  assert.ok(!entries.some(({ body }) => body.includes("bob's line")), 'no content in an entry');
  await a.read();
  workspace.write(FILE, "an editor's");
  assert.match((await a.write("ann's"))?.detail ?? '', /is not kept, so what changed cannot be shown/);
});

test('what a call changed is kept with its content before, and what it did not change is forgotten', async () => {
  const { hire, workspace, changes, contentOf } = await openKeeping();
  workspace.write(FILE, 'old');
  const a = await hire('ann');
  await a.read();
  await a.use('Edit', { file_path: FILE });
  assert.deepEqual(await changes(), [], 'it changed nothing');
  await a.write('new');
  await a.bash('npx rewrite', () => workspace.write(FILE, 'rewritten'));
  await a.bash(`rm ${FILE}`, () => workspace.files.delete(FILE));
  await a.write('again');
  const rows = await changes();
  assert.deepEqual(
    await Promise.all(rows.map(async ({ before }) => (before === '' ? 'no file' : contentOf(before)))),
    ['old', 'new', 'rewritten', 'no file'],
  );
  for (const [n, row] of rows.entries()) assert.equal(row.after, rows[n + 1]?.before ?? row.after);
  assert.ok(
    rows.every(({ key, kind, after }) => key === `file:${FILE}` && kind === 'file' && after !== null),
  );
});

test('where bodies are not kept, no content is, and what is too many files is not', async () => {
  const { hire, workspace, parts, changes } = await openKeeping();
  const a = await hire('ann');
  const names = Array.from({ length: LIMITS.beforeFiles.value + 10 }, (_, n) => `/repo/${n}.txt`);
  for (const name of names) workspace.write(name, name);
  for (const name of names) await a.use('Read', { file_path: name });
  await a.bash('npx rewrite', () => {
    for (const name of names) workspace.write(name, `${name}!`);
  });
  assert.equal((await changes()).length, LIMITS.beforeFiles.value);
  parts.settings = { ...parts.settings, bodies: 'digest' };
  await a.write('new');
  assert.equal((await changes()).length, LIMITS.beforeFiles.value);
});

test('contents before changes go with their time, and with their agent', async () => {
  const { hire, workspace, parts, changes, contentOf, clock } = await openKeeping();
  workspace.write(FILE, "everybody's");
  const [a, b] = [await hire('ann'), await hire('bob')];
  for (const who of [a, b]) {
    await who.read();
    await who.use('Edit', { file_path: FILE }, () => workspace.write(FILE, `${who.agent.name}'s`));
  }
  workspace.write('/repo/b.txt', "everybody's");
  await b.use('Edit', { file_path: '/repo/b.txt' }, () => workspace.write('/repo/b.txt', 'x'));
  const hashes = (await changes()).map(({ before }) => before);
  const plan = await planErasure(parts.store, parts.context, 'me', new Set([b.agent.pid]));
  await parts.journal.append({ entries: [], deletes: plan.deletes, erases: plan.erases });
  assert.deepEqual(
    [await Promise.all(hashes.map(contentOf)), (await changes()).map(({ agent }) => agent)],
    [["everybody's", 'gone', "everybody's"], [a.agent.pid]],
    "what a peer's change needs stays",
  );
  clock.advanceTo(clock.now() + 1000);
  await retire(parts, { bodiesBeforeMs: clock.now() });
  assert.deepEqual([await changes(), await parts.store.range(REQUEST, { limit: 10 })], [[], []]);
  assert.equal(await contentOf(hashes[0] ?? ''), 'gone');
});
