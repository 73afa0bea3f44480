import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LIMITS } from './limits.ts';
import { ValidatedFile } from './validated.ts';

test('what was kept is there at the next start, the latest of it, and a file that cannot be written costs nothing', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-validated-'));
  try {
    const path = join(directory, 'policies.valid');
    const file = new ValidatedFile<string>(path);
    const long = 'x'.repeat(LIMITS.validatedCharacters.value / 3);
    for (let i = 0; i < 4; i++) file.set(`digest-${i}`, `${i}${long}`);
    const next = new ValidatedFile<string>(path);
    assert.deepEqual(
      [0, 1, 2, 3].map((i) => next.get(`digest-${i}`)?.[0]),
      [undefined, undefined, '2', '3'],
    );
    assert.equal(next.get('digest'), undefined);

    const nowhere = new ValidatedFile<string>(join(directory, 'missing', 'policies.valid'));
    nowhere.set('digest', 'kept');
    assert.equal(nowhere.get('digest'), 'kept');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('of a damaged file, what is whole is used and nothing else', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mezz-validated-'));
  try {
    const path = join(directory, 'policies.valid');
    const file = new ValidatedFile<string>(path);
    file.set('first', 'one');
    file.set('second', 'two');
    writeFileSync(path, readFileSync(path, 'utf8').replace('two', 'too'));
    const damaged = new ValidatedFile<string>(path);
    assert.deepEqual([damaged.get('first'), damaged.get('second')], ['one', undefined]);
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, -1));
    const cut = new ValidatedFile<string>(path);
    assert.deepEqual([cut.get('first'), cut.get('second')], ['one', undefined]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
