import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LogFile } from './logfile.ts';

test('a log file is private and bounded: full, it becomes the old one, and other writers stay on the new', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-log-'));
  try {
    const path = join(directory, 'kernel.log');
    const crash = openSync(path, 'a', 0o600);
    const log = new LogFile(path, 100);
    const line = (n: number) => `${String(n).padStart(19, '0')}\n`;
    for (let n = 0; n < 1000; n++) {
      log.write(line(n));
      assert.ok(statSync(path).size <= 120);
    }
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(`${path}.1`).mode & 0o777, 0o600);
    assert.equal(
      readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8'),
      Array.from({ length: 10 }, (_, i) => line(990 + i)).join(''),
    );
    writeSync(crash, 'boom\n');
    assert.ok(readFileSync(path, 'utf8').endsWith('boom\n'));
    rmSync(directory, { recursive: true });
    log.write('into a directory that is gone\n');
    assert.ok(!existsSync(directory));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
