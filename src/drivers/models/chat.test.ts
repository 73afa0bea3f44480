/** A Chat answer over two connections, by its words: what its client gets is one, whatever the second says first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonRecord } from '../../base/json.ts';
import type { ModelCall } from '../../base/model.ts';
import { collectAnswer } from '../../wire/collect.ts';
import { DIALECTS } from '../../wire/registry.ts';
import { SseSplitter } from '../../wire/sse.ts';
import { CODECS } from '../../wire/translate.ts';
import { ChatAnswer, continuableChat } from './chat.ts';

const ASKED: JsonRecord = { model: 'm', stream: true, messages: [{ role: 'user', content: 'count' }] };

const chunk = (id: string, delta: JsonRecord, finish_reason: string | null = null): JsonRecord => ({
  ...{ id, object: 'chat.completion.chunk', created: 1, model: 'm' },
  choices: [{ index: 0, delta, finish_reason }],
});

/** What its client was told altogether, and the last message of the request that asked to go on. */
function over(first: readonly string[], rest: readonly string[]): { text: string; begun: unknown } {
  const body = Buffer.from(JSON.stringify(ASKED));
  const facts = DIALECTS['openai-chat'].readRequest(body);
  const call = { dialect: 'openai-chat', path: '/chat/completions', body, decoded: body, facts };
  const asked = continuableChat(call as unknown as ModelCall) as JsonRecord;
  const answer = new ChatAnswer(call as unknown as ModelCall, asked);
  const hear = (chunks: readonly JsonRecord[], isFirst: boolean) =>
    new SseSplitter()
      .push(Buffer.from(chunks.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('')))
      .flatMap((event) => answer.hear(event, isFirst));
  const said = hear(
    [{ role: 'assistant' }, ...first.map((content) => ({ content }))].map((delta) => chunk('c1', delta)),
    true,
  );
  const { messages } = answer.goOn() ?? {};
  const deltas = [{ role: 'assistant' }, ...rest.map((content) => ({ content }))];
  said.push(...hear([...deltas.map((delta) => chunk('c2', delta)), chunk('c2', {}, 'stop')], false));
  const stream = Buffer.concat([...said, Buffer.from('data: [DONE]\n\n')]);
  const decoder = CODECS['openai-chat'].newDecoder();
  const { parts } = collectAnswer(new SseSplitter().push(stream).flatMap((event) => decoder.event(event)));
  const last = Array.isArray(messages) ? (messages as JsonRecord[]).at(-1) : undefined;
  return {
    text: parts.map((part) => (part.kind === 'text' ? part.text : '')).join(''),
    begun: last?.content,
  };
}

test('what its server says again is not said twice; white space at the break comes once', () => {
  for (const [before, after] of [
    [['one', ' two'], [' three']],
    [
      ['one', ' two'],
      ['one two', ' three'],
    ],
    [
      ['one', ' two', '\n'],
      ['\n', 'three'],
    ],
    [['one', ' two', '\n'], ['three']],
    [
      ['one', ' two', '\n'],
      ['one two\n', 'three'],
    ],
  ] as const) {
    const { text, begun } = over(before, after);
    assert.equal(begun, 'one two', 'no last message ends in white space');
    assert.equal(text, before.length === 3 ? 'one two\nthree' : 'one two three', after.join('|'));
  }
});

test('one that had said nothing but white space is asked anew, and says that once', () => {
  assert.deepEqual(over(['\n'], ['\n', 'one']), { text: '\none', begun: undefined });
});
