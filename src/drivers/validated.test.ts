import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LIMITS } from './limits.ts';
import { ValidatedFile } from './validated.ts';

test('digests are there at the next start, the latest of them, and a file that cannot be written costs nothing', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-validated-'));
  try {
    const path = join(directory, 'policies.valid');
    const file = new ValidatedFile(path);
    const most = LIMITS.validatedTexts.value;
    for (let i = 0; i <= most; i++) file.add(`digest-${i}`);
    const next = new ValidatedFile(path);
    assert.equal(next.has('digest-0'), false);
    assert.ok(next.has('digest-1') && next.has(`digest-${most}`));

    const nowhere = new ValidatedFile(join(directory, 'missing', 'policies.valid'));
    nowhere.add('digest');
    assert.ok(nowhere.has('digest'));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
