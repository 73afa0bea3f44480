/** A Messages answer over two connections: what its client gets is one message, whatever the second says first. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonRecord } from '../../base/json.ts';
import type { ModelCall } from '../../base/model.ts';
import { collectAnswer } from '../../wire/collect.ts';
import { DIALECTS } from '../../wire/registry.ts';
import { encodeEvent, SseSplitter } from '../../wire/sse.ts';
import { CODECS } from '../../wire/translate.ts';
import { continuableMessages, MessagesAnswer } from './messages.ts';

const callOf = (value: JsonRecord): ModelCall => {
  const body = Buffer.from(JSON.stringify(value));
  const facts = DIALECTS.anthropic.readRequest(body);
  return { dialect: 'anthropic', path: '/messages', body, decoded: body, facts } as unknown as ModelCall;
};
const ASKED: JsonRecord = {
  model: 'm',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'count' }],
};

const start = (id: string, input: number): JsonRecord => ({
  type: 'message_start',
  message: {
    ...{ id, type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null },
    usage: { input_tokens: input, cache_read_input_tokens: 2, output_tokens: 1 },
  },
});
const begin = (index: number, content_block: JsonRecord): JsonRecord => ({
  ...{ type: 'content_block_start', index, content_block },
});
const TEXT = { type: 'text', text: '' };
const TOOL = { type: 'tool_use', id: 'toolu_1', name: 'note', input: {} };
const say = (index: number, text: string): JsonRecord => ({
  ...{ type: 'content_block_delta', index, delta: { type: 'text_delta', text } },
});
const stop = (index: number): JsonRecord => ({ type: 'content_block_stop', index });
const end = (output: number, stop_reason = 'end_turn'): JsonRecord[] => [
  {
    type: 'message_delta',
    delta: { stop_reason, stop_sequence: null },
    usage: { input_tokens: 90, output_tokens: output },
  },
  { type: 'message_stop' },
];

/** What the client of the first events and, after the break, of the others gets; and what was asked to go on. */
function over(first: readonly JsonRecord[], rest: readonly JsonRecord[]) {
  const call = callOf(ASKED);
  const answer = new MessagesAnswer(call, continuableMessages(call) as JsonRecord);
  const hear = (events: readonly JsonRecord[], isFirst: boolean) =>
    new SseSplitter()
      .push(Buffer.concat(events.map((event) => encodeEvent(String(event.type), JSON.stringify(event)))))
      .flatMap((event) => answer.hear(event, isFirst));
  const said = hear(first, true);
  assert.equal(answer.isFixed, false);
  const asked = answer.goOn();
  const stream = Buffer.concat([...said, ...hear(rest, false)]);
  const machine = DIALECTS.anthropic.newStream();
  machine.push(stream);
  assert.equal(machine.finish().kind, 'complete', stream.toString());
  const decoder = CODECS.anthropic.newDecoder();
  const { parts, usage, id } = collectAnswer(
    new SseSplitter().push(stream).flatMap((event) => decoder.event(event)),
  );
  return { asked, parts, usage, id, answer };
}
const texts = ({ parts }: ReturnType<typeof over>): string[] =>
  parts.map((part) => (part.kind === 'text' ? part.text : part.kind));

const BEGUN = [start('msg_1', 10), begin(0, TEXT), say(0, 'one'), say(0, ' two')];

describe('a Messages answer that goes on over another connection', () => {
  test('is one message: one beginning, one block, its tokens counted once', () => {
    const { asked, ...told } = over(BEGUN, [
      start('msg_2', 14),
      begin(0, TEXT),
      say(0, ' three'),
      say(0, ' four'),
      stop(0),
      ...end(2),
    ]);
    assert.deepEqual(asked, {
      ...ASKED,
      max_tokens: 48,
      messages: [...(ASKED.messages as JsonRecord[]), { role: 'assistant', content: 'one two' }],
    });
    assert.deepEqual(texts({ asked, ...told }), ['one two three four']);
    assert.match(String(told.id), /msg_1$/);
    assert.deepEqual([told.usage.input, told.usage.cacheRead, told.usage.output], [10, 2, 4]);
  });

  test('what its server says again is not said twice; white space at the break comes once', () => {
    for (const [before, after] of [
      ['', ['one', ' two', ' three']],
      ['', ['one two thr', 'ee']],
      ['', [' three']],
      ['\n', ['\nthree']],
      ['\n', ['three']],
      ['\n', ['one two', '\nthree']],
    ] as const) {
      const rest = after.map((text) => say(0, text));
      const told = over(
        [...BEGUN, ...(before ? [say(0, before)] : [])],
        [...[start('msg_2', 14), begin(0, TEXT), ...rest, stop(0)], ...end(1)],
      );
      const { messages = [] } = told.asked ?? {};
      const last = (messages as JsonRecord[]).at(-1);
      assert.equal(last?.content, 'one two', 'no last message ends in white space');
      assert.deepEqual(texts(told), [before ? 'one two\nthree' : 'one two three'], after.join('|'));
    }
  });

  test('a tool call that follows is a block of its own, and is left to end', () => {
    const told = over(BEGUN, [start('msg_2', 14), begin(0, TOOL), stop(0), ...end(5, 'tool_use')]);
    assert.deepEqual(texts(told), ['one two', 'call']);
    assert.equal(told.answer.isFixed, true);
    const after = over(BEGUN, [
      ...[start('msg_2', 14), begin(0, TEXT), say(0, ' three'), stop(0)],
      ...[begin(1, TOOL), stop(1), ...end(5, 'tool_use')],
    ]);
    assert.deepEqual(texts(after), ['one two three', 'call']);
  });

  test('one that had nothing more to say ends what was open; one that had said nothing is asked anew', () => {
    assert.deepEqual(texts(over(BEGUN, [start('msg_2', 14), ...end(0)])), ['one two']);
    for (const first of [[], [start('msg_1', 10)], [start('msg_1', 10), begin(0, TEXT)]]) {
      const told = over(first, [start('msg_2', 10), begin(0, TEXT), say(0, 'one'), stop(0), ...end(1)]);
      assert.equal(told.asked, undefined);
      assert.deepEqual(texts(told), ['one']);
      assert.equal(told.usage.output, 1);
    }
  });

  test('what cannot go on as text is not continued', () => {
    const may = (more: JsonRecord) => continuableMessages(callOf({ ...ASKED, ...more })) !== undefined;
    assert.equal(may({}), true);
    assert.equal(may({ tools: [], thinking: { type: 'disabled' } }), true);
    assert.equal(may({ thinking: { type: 'enabled', budget_tokens: 1024 } }), false);
    assert.equal(may({ thinking: { type: 'adaptive' } }), false);
    assert.equal(may({ output_config: { format: { type: 'json_schema' } } }), false);
    assert.equal(may({ stream: false }), false);
    const messages = [...(ASKED.messages as JsonRecord[]), { role: 'assistant', content: '{' }];
    assert.equal(may({ messages }), false, 'its client begins the answer itself');
  });
});
