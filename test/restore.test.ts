import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';

const MEZZ = fileURLToPath(new URL('../bin/mezz.js', import.meta.url));
let home: string;
const mezz = (...args: string[]) => {
  const env = { ...process.env, MEZZ_HOME: join(home, 'state'), HOME: home, NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MEZZ, ...args], {
    env,
    cwd: home,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
};
const limits = () => mezz('limit').stdout;
const done = (...args: string[]) => {
  const { status, stdout, stderr } = mezz(...args);
  assert.equal(status, 0, stderr + stdout);
  return stdout;
};

before(() => {
  home = mkdtempSync(join(tmpdir(), 'mezz-restore-'));
});
after(() => {
  mezz('down');
  rmSync(home, { recursive: true, force: true });
});

test('mezz restore puts a backup in place while no kernel runs, and keeps what was there', () => {
  done('up', '--port', '0');
  done('limit', 'set', 'owner:me', '111', '--of', 'requests', '--per', 'day');
  done('backup', 'good.db');
  done('limit', 'set', 'owner:me', '222', '--of', 'requests', '--per', 'day');
  const whileUp = mezz('restore', 'good.db');
  assert.equal(whileUp.status, 1);
  assert.match(whileUp.stderr, /another kernel.*runs on[\s\S]*mezz down/);
  assert.match(limits(), /222/);
  done('down');

  writeFileSync(join(home, 'bad.db'), 'this is no database at all, and longer than a header of one would be');
  const damaged = mezz('restore', 'bad.db');
  assert.equal(damaged.status, 1);
  assert.match(damaged.stderr, /not a sound backup.*\nNext: choose another backup/);
  assert.equal(mezz('restore', 'none.db').status, 1);

  const { aside } = JSON.parse(done('restore', 'good.db', '--json'));
  assert.ok(existsSync(join(aside, 'mezz.db')));
  done('up', '--port', '0');
  assert.match(limits(), /111/);
  assert.doesNotMatch(limits(), /222/);
  assert.match(done('audit', 'verify'), / 0 problems/);
  assert.match(done('fsck'), / 0 problems/);
  done('down');

  // What was set aside is a database like any other.
  done('restore', join(aside, 'mezz.db'));
  done('up', '--port', '0');
  assert.match(limits(), /222/);
});
