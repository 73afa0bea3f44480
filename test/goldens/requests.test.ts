/**
 * Requests of each dialect for backends of the others: what is asked stays what it was, and what a round trip loses is
 * named by the loss report, every member of it.
 */
import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import fc from 'fast-check';
import type { NeutralDialect } from '../../src/base/model.ts';
import { assertCarried, translated } from './carried.ts';
import { type Conversation, conversation, MARK } from './conversations.ts';
import { WRITE } from './writers.ts';

const NAMES = ['anthropic', 'openai-chat', 'openai-responses'] as const;
const PAIRS = NAMES.flatMap((client) =>
  NAMES.filter((backend) => backend !== client).map((backend) => [client, backend] as const),
);

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
        fc.property(conversation, (talk) => {
          assertCarried(WRITE[client](talk), client, backend);
        }),
        { numRuns: 100 },
      ));
    test(`of ${client} for ${backend} lose nothing unsaid`, () =>
      fc.assert(
        fc.property(conversation, (talk) => assertNamed(talk, client, backend)),
        { numRuns: 100 },
      ));
  }
});
