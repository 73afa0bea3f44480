/**
 * What the real clients sent (capture.ts), for a backend of every other dialect: it asks the same there and back, and
 * the report names what it names here. For a backend of its own a body passes as it is (the tests of the gateway).
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test, { describe } from 'node:test';
import type { JsonRecord } from '../../src/base/json.ts';
import type { NeutralDialect } from '../../src/base/model.ts';
import { translateRequest } from '../../src/wire/translate.ts';
import { assertCarried } from './carried.ts';
import { asked } from './meaning.ts';

const FOLDER = new URL('fixtures/requests/', import.meta.url).pathname;

interface Captured {
  readonly dialect: NeutralDialect;
  /** What the report names for a backend of each other dialect; a text is a refusal. */
  readonly losses: Readonly<Record<string, readonly string[] | string>>;
  readonly body: JsonRecord;
}
const files = readdirSync(FOLDER);
const read = (file: string): Captured => JSON.parse(readFileSync(FOLDER + file, 'utf8'));

for (const file of files) {
  const { dialect, losses, body } = read(file);
  describe(file.replace('.json', ''), () => {
    for (const [name, expected] of Object.entries(losses)) {
      const backend = name as NeutralDialect;
      if (typeof expected === 'string')
        test(`refused for ${backend}: it leaves out what only its provider has`, () => {
          const made = translateRequest(Buffer.from(JSON.stringify(body)), dialect, backend, 'm', 0);
          assert.ok('code' in made);
          assert.equal(made.message, expected);
        });
      else
        test(`for ${backend} and back`, () => {
          const { losses: told } = assertCarried({ ...body, model: 'm' }, dialect, backend);
          assert.deepEqual(told, expected);
        });
    }
  });
}

test('the captured requests hold parallel calls, an image and an error among the results, and thoughts', () => {
  const turns = files.flatMap((file) => asked(read(file).dialect, read(file).body).turns);
  assert.ok(turns.some(({ calls }) => calls.length > 1));
  assert.ok(turns.some(({ results }) => results.some(({ shown }) => shown.length > 0)));
  assert.ok(turns.some(({ results }) => results.some(({ isError }) => isError)));
  assert.ok(turns.some(({ thoughts }) => thoughts.length > 0));
});
