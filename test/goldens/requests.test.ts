/**
 * Requests of each dialect for backends of the others: what is asked stays what it was, and what a round trip loses is
 * named by the loss report, every member of it.
 */
import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import fc from 'fast-check';
import type { JsonRecord } from '../../src/base/json.ts';
import type { NeutralDialect } from '../../src/base/model.ts';
import { DIALECTS } from '../../src/wire/registry.ts';
import { translateRequest } from '../../src/wire/translate.ts';
import { type Conversation, conversation, MARK } from './conversations.ts';
import { excuse } from './excuses.ts';
import { asked } from './meaning.ts';
import { assertTaken } from './refused.ts';
import { WRITE } from './writers.ts';

const NAMES = ['anthropic', 'openai-chat', 'openai-responses'] as const;
const PAIRS = NAMES.flatMap((client) =>
  NAMES.filter((backend) => backend !== client).map((backend) => [client, backend] as const),
);

function translated(body: JsonRecord, client: NeutralDialect, backend: NeutralDialect) {
  const made = translateRequest(Buffer.from(JSON.stringify(body)), client, backend, 'm', 0);
  assert.ok('body' in made, JSON.stringify(made));
  return { json: JSON.parse(made.body.toString()) as JsonRecord, losses: made.losses };
}

function assertCarried(body: JsonRecord, client: NeutralDialect, backend: NeutralDialect): void {
  const there = translated(body, client, backend);
  const facts = DIALECTS[backend].readRequest(Buffer.from(JSON.stringify(there.json)));
  assert.ok(!('problem' in facts));
  assertTaken(backend, there.json);
  const meant = asked(client, body);
  assert.deepEqual(excuse(asked(backend, there.json), there.losses), excuse(meant, there.losses));
  const back = translated(there.json, backend, client);
  const losses = [...there.losses, ...back.losses];
  assert.deepEqual(excuse(asked(client, back.json), losses), excuse(meant, losses));
}

/** Each of these is nowhere else: gone without its name in the report, it would be lost unsaid. */
const NAMED: Readonly<Record<string, RegExp>> = {
  top: /^only-here-top$/,
  message: /only-here-message$/,
  text: /only-here-text$/,
  tool: /only-here-tool$/,
  call: /only-here-call$/,
  result: /only-here-result$/,
  format: /only-here-format$/,
  nested: /^(output_config|stream_options|reasoning)$/,
};
function assertNamed(talk: Conversation, client: NeutralDialect, backend: NeutralDialect): void {
  const body = WRITE[client](talk);
  const { json, losses } = translated(body, client, backend);
  const [before, after] = [JSON.stringify(body), JSON.stringify(json)];
  for (const place of talk.marks) {
    const stands = before.includes(`${MARK}-${place}`) && !after.includes(`${MARK}-${place}`);
    if (stands)
      assert.ok(
        losses.some((loss) => NAMED[place]?.test(loss)),
        `${place} is not named: ${losses}`,
      );
  }
  if (talk.hosted) assert.ok(losses.includes(`tools.${MARK}`));
  if (talk.choice === 'strange') assert.ok(losses.includes('tool_choice'), String(losses));
  if (before.includes(`file_${MARK}`) || before.includes(`file-${MARK}`))
    assert.equal(
      after.includes(MARK.concat('"')) || losses.some((loss) => /\.(image|file)/.test(loss)),
      true,
    );
}

describe('random conversations', () => {
  for (const [client, backend] of PAIRS) {
    test(`of ${client} through ${backend} and back say what they said`, () =>
      fc.assert(
        fc.property(conversation, (talk) => assertCarried(WRITE[client](talk), client, backend)),
        { numRuns: 100 },
      ));
    test(`of ${client} for ${backend} lose nothing unsaid`, () =>
      fc.assert(
        fc.property(conversation, (talk) => assertNamed(talk, client, backend)),
        { numRuns: 100 },
      ));
  }
});
