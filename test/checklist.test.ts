import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';

interface Answered {
  readonly id: string;
  readonly verdict: string;
  readonly saw: string;
  readonly calls: readonly string[];
}

async function run(args: readonly string[], home: string) {
  // Without what a developer has installed: shells stand in for coding agents.
  const env = { ...process.env, PATH: '/usr/bin:/bin', MEZZ_HOME: home, TMPDIR: home };
  const child = spawn(process.execPath, ['bin/mezz.js', 'checklist', ...args], { env });
  const out: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.resume();
  const [code] = await once(child, 'close');
  return { code, out: Buffer.concat(out).toString() };
}

test('the checklist tries every condition that is built on a kernel of its own, and says what is not built', async () => {
  const home = mkdtempSync(join(tmpdir(), 'mezz-checklist-test-'));
  try {
    const { code, out } = await run(['--json'], home);
    assert.equal(code, 0);
    const { answers } = JSON.parse(out) as { answers: Answered[] };
    const verdicts = Object.fromEntries(answers.map(({ id, verdict }) => [id, verdict]));
    const told = answers.map(({ id, saw }) => `${id}: ${saw}`).join('\n');
    const expected = {
      '1a 1b 1c 1d 1e 2a 2b 3a 3b 3c 3d 3e 3f 4a 4b 5a 5b 5c': 'yes',
      '4c': 'no',
      '2c 2d 2e': 'not built',
    };
    for (const [ids, verdict] of Object.entries(expected))
      for (const id of ids.split(' ')) assert.equal(verdicts[id], verdict, told);
    assert.equal(answers.length, 22);
    // An experiment with calls names them; nothing of its kernel is left.
    for (const { id, calls } of answers.filter(({ verdict, id }) => verdict === 'yes' && !id.startsWith('5')))
      assert.ok(calls.length > 0 && calls.every((call) => /^c[0-9a-z]{16}$/.test(call)), id);
    assert.deepEqual(readdirSync(home), []);
    assert.equal((await run(['9'], home)).code, 2);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
