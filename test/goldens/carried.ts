/** A request in another dialect and back in its own: what it asks must stay. */
import assert from 'node:assert/strict';
import type { JsonRecord } from '../../src/base/json.ts';
import type { NeutralDialect } from '../../src/base/model.ts';
import { DIALECTS } from '../../src/wire/registry.ts';
import { translateRequest } from '../../src/wire/translate.ts';
import { excuse } from './excuses.ts';
import { asked } from './meaning.ts';
import { assertTaken } from './refused.ts';

export function translated(body: JsonRecord, client: NeutralDialect, backend: NeutralDialect) {
  const made = translateRequest(Buffer.from(JSON.stringify(body)), client, backend, 'm', 0);
  assert.ok('body' in made, JSON.stringify(made));
  return { json: JSON.parse(made.body.toString()) as JsonRecord, losses: made.losses };
}

/** There and back it asks what it asked, apart from what the report names. */
export function assertCarried(body: JsonRecord, client: NeutralDialect, backend: NeutralDialect) {
  const there = translated(body, client, backend);
  const facts = DIALECTS[backend].readRequest(Buffer.from(JSON.stringify(there.json)));
  assert.ok(!('problem' in facts));
  assertTaken(backend, there.json);
  const meant = asked(client, body);
  assert.deepEqual(excuse(asked(backend, there.json), there.losses), excuse(meant, there.losses));
  const back = translated(there.json, backend, client);
  const losses = [...there.losses, ...back.losses];
  assert.deepEqual(excuse(asked(client, back.json), losses), excuse(meant, losses));
  return there;
}
