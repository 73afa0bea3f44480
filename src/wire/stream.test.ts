import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dialect, StreamEnd } from './dialect.ts';
import { DIALECTS } from './registry.ts';
import { UsageChunkFilter } from './transforms/usage.ts';

type Event = Record<string, unknown>;
const named = (events: readonly Event[]) =>
  Buffer.from(events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
const chunks = (events: readonly unknown[]) =>
  Buffer.from(
    events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join(''),
  );

function play(dialect: Dialect, parts: readonly Uint8Array[]): { end: StreamEnd; passed: Buffer } {
  const machine = dialect.newStream();
  const passed = Buffer.concat(parts.map((part) => machine.push(part)));
  return { end: machine.finish(), passed };
}

const { anthropic, 'openai-chat': chat, 'openai-responses': responses } = DIALECTS;
const start = {
  type: 'message_start',
  message: {
    id: 'msg_1',
    model: 'm',
    usage: { input_tokens: 9, cache_read_input_tokens: 5, output_tokens: 1 },
  },
};
const open = (index: number, content_block: Event) => ({ type: 'content_block_start', index, content_block });
const delta = (index: number, inner: Event) => ({ type: 'content_block_delta', index, delta: inner });
const close = (index: number) => ({ type: 'content_block_stop', index });
const over = {
  type: 'message_delta',
  delta: { stop_reason: 'tool_use', container: { id: 'k1' } },
  usage: { output_tokens: 40 },
};
const stop = { type: 'message_stop' };
const messages = [
  start,
  { type: 'ping' },
  open(0, { type: 'thinking', thinking: '' }),
  delta(0, { type: 'thinking_delta', thinking: 'hm' }),
  delta(0, { type: 'signature_delta', signature: 's' }),
  close(0),
  open(1, { type: 'text', text: '' }),
  delta(1, { type: 'text_delta', text: 'é…' }),
  delta(1, { type: 'novel_delta' }),
  close(1),
  { type: 'novel_event' },
  open(2, { type: 'tool_use', id: 't1', name: 'Bash', input: {} }),
  delta(2, { type: 'input_json_delta', partial_json: '{"a"' }),
  delta(2, { type: 'input_json_delta', partial_json: ':1}' }),
  close(2),
  open(3, { type: 'tool_use', id: 't2', name: 'Read', input: {} }),
  close(3),
  over,
  stop,
];
const created = {
  type: 'response.created',
  sequence_number: 0,
  response: { id: 'r1', model: 'm', output: [] },
};
const call = { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' };
const itemDone = { type: 'response.output_item.done', sequence_number: 1, item: call };
const completed = {
  type: 'response.completed',
  sequence_number: 2,
  response: {
    id: 'r1',
    model: 'm',
    status: 'completed',
    output: [call],
    usage: {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 4 },
      output_tokens: 7,
      output_tokens_details: { reasoning_tokens: 3 },
    },
  },
};
const part = (index: number, more: Event) => ({
  id: 'x',
  model: 'm',
  choices: [{ index: 0, delta: { tool_calls: [{ index, ...more }] }, finish_reason: null }],
});
const usageChunk = {
  id: 'x',
  choices: [],
  usage: { prompt_tokens: 10, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 4 } },
};
const chatEvents = [
  part(0, { id: 'a', function: { name: 'f', arguments: '{"x"' } }),
  part(1, { id: 'b', function: { name: 'g', arguments: '{}' } }),
  part(0, { function: { arguments: ':1}' } }),
  { id: 'x', choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
  usageChunk,
  '[DONE]',
];
const goldens = [
  { dialect: anthropic, stream: named(messages), terminal: named([stop]), name: 'messages' },
  {
    dialect: responses,
    stream: named([created, itemDone, completed]),
    terminal: named([completed]),
    name: 'responses',
  },
  { dialect: chat, stream: chunks(chatEvents), terminal: chunks(['[DONE]']), name: 'chat' },
];

describe('golden streams', () => {
  for (const { dialect, stream, terminal, name } of goldens) {
    it(`${name}: unchanged, in order, terminal withheld, at every cut`, () => {
      const { facts } = play(dialect, [stream]).end;
      for (let cut = 0; cut <= stream.length; cut++) {
        const { end, passed } = play(dialect, [stream.subarray(0, cut), stream.subarray(cut)]);
        assert.equal(end.kind, 'complete');
        assert.ok('tail' in end);
        assert.deepEqual(Buffer.from(end.tail), terminal);
        assert.deepEqual(Buffer.concat([passed, end.tail]), stream);
        assert.deepEqual(end.facts, facts);
      }
      const single = play(
        dialect,
        Array.from(stream, (byte) => Uint8Array.of(byte)),
      );
      assert.deepEqual(single.end.facts, facts);
      const cutShort = play(dialect, [stream.subarray(0, stream.length - terminal.length)]);
      assert.equal(cutShort.end.kind, 'cut');
      const twice = dialect === anthropic ? 'complete' : 'malformed';
      assert.equal(play(dialect, [stream, terminal]).end.kind, twice, 'a second end is withheld or told');
    });
  }

  it('give usage and intents', () => {
    const facts = goldens.map(({ dialect, stream }) => play(dialect, [stream]).end.facts);
    assert.deepEqual(facts[0]!.usage, { input: 9, cacheRead: 5, cacheWrite: 0, output: 40, reasoning: 0 });
    assert.deepEqual(facts[0]!.intents, [
      { id: 't1', name: 'Bash', argumentsText: '{"a":1}' },
      { id: 't2', name: 'Read', argumentsText: '{}' },
    ]);
    assert.deepEqual(facts[0]!.objects, ['k1']);
    assert.deepEqual(facts[1]!.usage, { input: 6, cacheRead: 4, cacheWrite: 0, output: 7, reasoning: 3 });
    assert.deepEqual(facts[1]!.intents, [{ id: 'c1', name: 'f', argumentsText: '{}' }]);
    assert.deepEqual(facts[2]!.usage, { input: 6, cacheRead: 4, cacheWrite: 0, output: 7, reasoning: 0 });
    assert.deepEqual(facts[2]!.intents, [
      { id: 'a', name: 'f', argumentsText: '{"x":1}' },
      { id: 'b', name: 'g', argumentsText: '{}' },
    ]);
    assert.equal(facts[2]!.stopReason, 'tool_calls');
  });
});

describe('malformed streams', () => {
  const text = open(0, { type: 'text', text: '' });
  const bad: [string, Event[], RegExp][] = [
    ['message_start twice', [start, start], /twice/],
    ['no start', [text], /before message_start/],
    [
      'delta for a closed block',
      [start, text, close(0), delta(0, { type: 'text_delta', text: 'x' })],
      /not open/,
    ],
    ['thinking in text', [start, text, delta(0, { type: 'thinking_delta' })], /inside a text block/],
    ['index reused', [start, text, close(0), text], /opened twice/],
    ['stop while open', [start, text, stop], /open/],
  ];
  for (const [name, events, why] of bad) {
    it(`messages: ${name}`, () => {
      const { end, passed } = play(anthropic, [named(events)]);
      assert.ok(end.kind === 'malformed');
      assert.match(end.why, why);
      assert.deepEqual(passed, named(events.slice(0, -1)), 'what came before has passed');
    });
  }

  it('responses: numbers that do not grow, two ends, no start', () => {
    for (const events of [
      [created, { ...itemDone, sequence_number: 0 }],
      [created, completed, completed],
      [itemDone],
      [created, created],
    ])
      assert.equal(play(responses, [named(events)]).end.kind, 'malformed');
  });

  it('an error of the upstream is the end and passes whole', () => {
    const error = { type: 'error', error: { type: 'overloaded_error', message: 'x' } };
    for (const [dialect, head, tail] of [
      [anthropic, named([start]), named([error, stop])],
      [responses, named([created]), named([error])],
      [chat, chunks(chatEvents.slice(0, 2)), chunks([{ error: { message: 'x' } }, '[DONE]'])],
    ] as const) {
      const { end, passed } = play(dialect, [head, tail]);
      assert.ok(end.kind === 'error');
      assert.deepEqual(Buffer.concat([passed, end.tail]), Buffer.concat([head, tail]));
    }
  });

  it('a mezz error event and heartbeat are what the dialect allows', () => {
    for (const { dialect, stream } of goldens) {
      const beat = play(dialect, [dialect.encodeHeartbeat(), stream]);
      assert.equal(beat.end.kind, 'complete');
      assert.equal(
        play(dialect, [dialect.encodeErrorEvent({ code: 'upstream_cut', message: 'x' }, 0)]).end.kind,
        'error',
      );
    }
  });
});

it('the usage filter keeps a chunk that carries an answer beside its usage', () => {
  const stream = chunks([{ ...usageChunk, choices: [{ index: 0, delta: { content: 'x' } }] }, '[DONE]']);
  assert.deepEqual(Buffer.from(new UsageChunkFilter().push(stream)), stream);
});

it('the usage filter removes that one chunk and nothing else, at every cut', () => {
  const stream = chunks(chatEvents);
  const expected = chunks(chatEvents.filter((event) => event !== usageChunk));
  for (let cut = 0; cut <= stream.length; cut++) {
    const filter = new UsageChunkFilter();
    const kept = [filter.push(stream.subarray(0, cut)), filter.push(stream.subarray(cut)), filter.finish()];
    assert.deepEqual(Buffer.concat(kept), expected);
  }
});

it('the usage filter takes the null that asking brings out of every chunk, and no other byte', () => {
  const filtered = (data: string) =>
    Buffer.from(new UsageChunkFilter().push(Buffer.from(`data: ${data}\r\n\r\n`))).toString();
  for (const [data, expected] of [
    ['{"id":"c","choices":[1],"usage":null}', '{"id":"c","choices":[1]}'],
    ['{"id": "c", "usage": null, "choices": [1]}', '{"id": "c", "choices": [1]}'],
    ['{"usage" : null , "choices":[1]}', '{ "choices":[1]}'],
    ['{"usage":null}', '{}'],
    ['{"choices":[{"usage":null}]}', '{"choices":[{"usage":null}]}'],
    ['{"choices":["\\"usage\\":null"]}', '{"choices":["\\"usage\\":null"]}'],
    ['{"usage":{"x":1},"choices":[1]}', '{"usage":{"x":1},"choices":[1]}'],
    ['"usage":null', '"usage":null'],
  ] as const)
    assert.equal(filtered(data), `data: ${expected}\r\n\r\n`);
});
