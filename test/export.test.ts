import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ControlFailure } from '../src/sdk/failure.ts';
import { startKernel } from './kernel.ts';

test('an export goes into a new directory; where none can be made it is refused, and the kernel goes on', async () => {
  const kernel = await startKernel();
  const directory = mkdtempSync(join(tmpdir(), 'mezz-export-'));
  try {
    const refused = (path: string) =>
      assert.rejects(
        kernel.control.call('export', { directory: path }),
        (error) => error instanceof ControlFailure && /cannot be written/.test(error.message),
      );
    await refused(join(directory, 'missing', 'parent'));
    if (existsSync('/proc/self')) await refused('/proc/none');
    const { files } = await kernel.control.call('export', { directory: join(directory, 'all') });
    assert.ok(files.length > 3);
    assert.ok(readdirSync(join(directory, 'all')).includes('journal.jsonl'));
    await assert.rejects(kernel.control.call('export', { directory: join(directory, 'all') }), /not empty/);
  } finally {
    await kernel.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
