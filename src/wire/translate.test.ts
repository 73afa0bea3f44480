import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import type { JsonRecord } from '../base/json.ts';
import type { NeutralDialect, Translation } from '../base/model.ts';
import { Losses, type NeutralAnswer, type NeutralEvent, type NeutralPart } from './neutral.ts';
import { DIALECTS } from './registry.ts';
import {
  CODECS,
  TranslatedStream,
  translateAnswer,
  translateFailure,
  translateRequest,
} from './translate.ts';

const NAMES: readonly NeutralDialect[] = ['anthropic', 'openai-chat', 'openai-responses'];
const PAIRS = NAMES.flatMap((client) =>
  NAMES.filter((backend) => backend !== client).map((backend) => [client, backend] as const),
);
const SCHEMA = { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] };
const PIXEL = 'iVBORw0KGgo=';

/** The same conversation as each dialect's own clients write it: two parallel calls, their results, an image. */
const REQUESTS: { readonly [N in NeutralDialect]: JsonRecord } = {
  anthropic: {
    model: 'm',
    max_tokens: 100,
    temperature: 0.5,
    stream: true,
    system: [{ type: 'text', text: 'Be brief.' }],
    tools: [{ name: 'read', description: 'Reads.', input_schema: SCHEMA }],
    tool_choice: { type: 'any', disable_parallel_tool_use: true },
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look.' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'I read two.' },
          { type: 'tool_use', id: 'a', name: 'read', input: { path: 'x' } },
          { type: 'tool_use', id: 'b', name: 'read', input: { path: 'y' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'one' }] },
          { type: 'tool_result', tool_use_id: 'b', content: [{ type: 'text', text: 'two' }] },
          { type: 'text', text: 'Go on.' },
        ],
      },
    ],
  },
  'openai-chat': {
    model: 'm',
    max_completion_tokens: 100,
    temperature: 0.5,
    stream: true,
    tools: [{ type: 'function', function: { name: 'read', description: 'Reads.', parameters: SCHEMA } }],
    tool_choice: 'required',
    parallel_tool_calls: false,
    messages: [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Look.' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } },
        ],
      },
      {
        role: 'assistant',
        content: 'I read two.',
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'read', arguments: '{"path":"x"}' } },
          { id: 'b', type: 'function', function: { name: 'read', arguments: '{"path":"y"}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: 'one' },
      { role: 'tool', tool_call_id: 'b', content: 'two' },
      { role: 'user', content: 'Go on.' },
    ],
  },
  'openai-responses': {
    model: 'm',
    max_output_tokens: 100,
    temperature: 0.5,
    stream: true,
    instructions: 'Be brief.',
    tools: [{ type: 'function', name: 'read', description: 'Reads.', parameters: SCHEMA, strict: false }],
    tool_choice: 'required',
    parallel_tool_calls: false,
    input: [
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'input_text', text: 'Look.' },
          { type: 'input_image', image_url: `data:image/png;base64,${PIXEL}` },
        ],
      },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I read two.' }] },
      { type: 'function_call', call_id: 'a', name: 'read', arguments: '{"path":"x"}' },
      { type: 'function_call', call_id: 'b', name: 'read', arguments: '{"path":"y"}' },
      { type: 'function_call_output', call_id: 'a', output: 'one' },
      { type: 'function_call_output', call_id: 'b', output: 'two' },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Go on.' }] },
    ],
  },
};

interface Called {
  readonly id: string;
  readonly name: string;
  readonly args: JsonRecord;
}
const AT = { createdAt: 1, model: 'm', includeUsage: true };
const USAGE = { input: 7, cacheRead: 3, cacheWrite: 0, output: 11, reasoning: 2 };

/** An answer of text and calls, as a backend tells it. */
function answerOf(calls: readonly Called[]): NeutralAnswer {
  const made = calls.map(({ id, name, args }): NeutralPart => {
    return { kind: 'call', id, name, input: JSON.stringify(args), custom: false, extras: {} };
  });
  const parts: NeutralPart[] = [{ kind: 'text', text: 'Grüße.', extras: {} }, ...made];
  return { id: '1', model: 'm', parts, stop: 'calls', usage: USAGE };
}
const wholeOf = (backend: NeutralDialect, calls: readonly Called[]): Buffer =>
  Buffer.from(JSON.stringify(CODECS[backend].encodeAnswer(answerOf(calls), AT)));
function streamOf(backend: NeutralDialect, calls: readonly Called[]): string {
  const { parts, ...answer } = answerOf(calls);
  const encoder = CODECS[backend].newEncoder(AT);
  const events: NeutralEvent[] = [
    { kind: 'start', ...answer },
    ...parts.flatMap((part, index): NeutralEvent[] =>
      part.kind !== 'call'
        ? []
        : [
            { kind: 'open', index: index - 1, part },
            { kind: 'delta', index: index - 1, text: part.input },
            { kind: 'close', index: index - 1 },
          ],
    ),
    { kind: 'end', ...answer },
  ];
  return events.flatMap((event) => encoder.event(event)).join('');
}

function translated(client: NeutralDialect, backend: NeutralDialect, body: JsonRecord = REQUESTS[client]) {
  const made = translateRequest(Buffer.from(JSON.stringify(body)), client, backend, 'm', 1000);
  assert.ok(!('code' in made), JSON.stringify(made));
  return { ...made, json: JSON.parse(made.body.toString()) as JsonRecord };
}

describe('a request in one dialect for a backend of another', () => {
  for (const [client, backend] of PAIRS)
    test(`${client} for ${backend} is what a client of that dialect would send`, () => {
      const { json, losses, path } = translated(client, backend);
      const { stream_options: _asked, store: _store, include: _include, ...rest } = json;
      assert.deepEqual(rest, REQUESTS[backend]);
      assert.deepEqual(losses, []);
      assert.equal(path, CODECS[backend].path);
      const facts = DIALECTS[backend].readRequest(Buffer.from(JSON.stringify(json)));
      assert.ok(!('problem' in facts));
    });

  for (const name of NAMES)
    test(`${name}: what was read and written again reads the same`, () => {
      const first = CODECS[name].decodeRequest(REQUESTS[name]);
      const again = CODECS[name].encodeRequest(first, new Losses(name, name));
      assert.deepEqual(CODECS[name].decodeRequest(again), first);
    });

  test('numbers in arguments keep every digit, in requests and in answers', () => {
    const digits = '[12345678901234567890,-0.12345678901234567890]';
    const written = (text: string) => text.replaceAll(/\\?"DIGITS\\?"/g, digits);
    const args = { path: 'DIGITS' };
    for (const [client, backend] of PAIRS) {
      const asked = JSON.stringify(REQUESTS[client]).replaceAll(/"x\\?"/g, (x) => x.replace('x', 'DIGITS'));
      const body = Buffer.from(written(asked));
      const made = translateRequest(body, client, backend, 'm', 1000);
      assert.ok('body' in made && made.body.includes(digits), `${client} for ${backend}`);
      const answer = written(wholeOf(backend, [{ id: 'a', name: 'read', args }]).toString());
      const told = translateAnswer(Buffer.from(answer), made.translation);
      assert.ok(told?.includes(digits), `${backend} for ${client}`);
    }
  });

  test('what cannot be carried is named, each once', () => {
    const body = {
      ...REQUESTS.anthropic,
      top_k: 5,
      system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
      tools: [{ type: 'web_search_20250305', name: 'web_search' }],
      messages: [
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Hm.', signature: 'sig' },
            { type: 'text', text: 'A' },
          ],
        },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: 'a', content: 'no', is_error: true }],
        },
      ],
    };
    const { losses } = translated('anthropic', 'openai-chat', body);
    assert.deepEqual(losses, [
      'messages.content.text.cache_control',
      'messages.reasoning',
      'messages.result.is_error',
      'tools.web_search_20250305',
      'top_k',
    ]);
  });

  test('state that lives upstream is refused instead of being lost', () => {
    for (const [name, value] of [
      ['previous_response_id', 'resp_1'],
      ['conversation', 'conv_1'],
      ['background', true],
    ] as const) {
      const body = Buffer.from(JSON.stringify({ ...REQUESTS['openai-responses'], [name]: value }));
      const made = translateRequest(body, 'openai-responses', 'anthropic', 'm', 0);
      assert.ok('code' in made && made.message.includes(name));
    }
  });

  test('a custom tool is a function of one text there, and a custom tool again on the way back', () => {
    const body = {
      ...REQUESTS['openai-responses'],
      tool_choice: 'auto',
      tools: [{ type: 'custom', name: 'exec', description: 'Runs.' }],
      input: [
        { type: 'custom_tool_call', call_id: 'e', name: 'exec', input: 'ls "a"' },
        { type: 'custom_tool_call_output', call_id: 'e', output: 'b' },
      ],
    };
    for (const backend of ['anthropic', 'openai-chat'] as const) {
      const { json, translation } = translated('openai-responses', backend, body);
      const asked = CODECS[backend].decodeRequest(json).messages.flatMap((message) => message.parts);
      const inputs = asked.flatMap((part) => (part.kind === 'call' ? [JSON.parse(part.input)] : []));
      assert.deepEqual(inputs, [{ input: 'ls "a"' }]);
      const calls = [{ id: 'e2', name: 'exec', args: { input: 'rm "b"' } }];
      const whole = JSON.parse(String(translateAnswer(wholeOf(backend, calls), translation)));
      const call = whole.output.find((item: JsonRecord) => item.type === 'custom_tool_call');
      assert.equal(call.input, 'rm "b"');
      const { bytes } = run(translation, streamOf(backend, calls), 1);
      assert.ok(bytes.includes('custom_tool_call_input.delta'));
      assert.ok(bytes.includes(JSON.stringify({ input: 'rm "b"' }).slice(1, -1)));
    }
  });

  test('tools in groups and with long names have names that every API takes, and come back under their own', () => {
    const long = 'l'.repeat(70);
    const group = (name: string, ...tools: readonly JsonRecord[]) => ({ type: 'namespace', name, tools });
    const made = (name: string) => ({ type: 'function', name, parameters: SCHEMA, strict: false });
    const body = {
      ...REQUESTS['openai-responses'],
      tool_choice: { type: 'function', name: 'wait' },
      tools: [made('read'), made(long), made(`${long}.other`), made('one__wait')],
      input: [
        { type: 'additional_tools', tools: [group('one', made('wait'), { type: 'custom', name: 'exec' })] },
        {
          type: 'additional_tools',
          tools: [group('two', made('wait')), group('mcp__files__', made('read'))],
        },
        { type: 'custom_tool_call', call_id: 'e', namespace: 'one', name: 'exec', input: 'ls' },
        { type: 'custom_tool_call_output', call_id: 'e', output: 'b' },
        { type: 'function_call', call_id: 'w', namespace: 'two', name: 'wait', arguments: '{}' },
        { type: 'function_call_output', call_id: 'w', output: 'c' },
      ],
    };
    for (const backend of ['anthropic', 'openai-chat'] as const) {
      const { json, translation, losses } = translated('openai-responses', backend, body);
      assert.deepEqual(losses, []);
      const asked = CODECS[backend].decodeRequest(json);
      const names = asked.tools.map((tool) => ('name' in tool ? tool.name : ''));
      assert.equal(new Set(names).size, 8);
      for (const name of names) assert.match(name, /^[\w-]{1,64}$/);
      assert.ok(names.includes('mcp__files__read') && names.includes('one__exec'));
      const calls = asked.messages.flatMap(({ parts }) => parts.filter((part) => part.kind === 'call'));
      assert.deepEqual(
        calls.map(({ name }) => name),
        ['one__exec', 'two__wait'],
      );
      assert.ok(
        typeof asked.choice === 'object' && /^one__wait_/.test(asked.choice.name),
        'the name is taken',
      );
      const answered = names.map((name, i) => ({ id: `c${i}`, name, args: { input: 'x' } }));
      const whole = JSON.parse(String(translateAnswer(wholeOf(backend, answered), translation)));
      const { bytes, end: ended } = run(translation, streamOf(backend, answered), 9);
      assert.deepEqual(ended.facts.intents[5], { id: 'c5', name: 'exec', argumentsText: 'x' });
      const end = JSON.parse(/^data: (.*"response.completed".*)$/m.exec(bytes)?.[1] ?? '{}');
      for (const output of [whole.output, end.response.output]) {
        const back = output.filter((item: JsonRecord) => item.type !== 'message');
        assert.deepEqual(
          back.map((item: JsonRecord) => [item.namespace, item.name, item.type]),
          [
            [undefined, 'read', 'function_call'],
            [undefined, long, 'function_call'],
            [undefined, `${long}.other`, 'function_call'],
            [undefined, 'one__wait', 'function_call'],
            ['one', 'wait', 'function_call'],
            ['one', 'exec', 'custom_tool_call'],
            ['two', 'wait', 'function_call'],
            ['mcp__files__', 'read', 'function_call'],
          ],
        );
      }
    }
  });

  test('what stands for something that only its provider can read is refused', () => {
    for (const type of ['item_reference', 'compaction']) {
      const body = Buffer.from(JSON.stringify({ model: 'm', input: [{ type, id: 'x' }] }));
      const made = translateRequest(body, 'openai-responses', 'anthropic', 'm', 0);
      assert.ok('code' in made && made.message.includes(type));
    }
  });

  test('sealed thoughts of one provider come back to it through a client of another dialect', () => {
    const item = { id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: 'opaque' };
    const answer = { object: 'response', id: 'resp_1', model: 'm', status: 'completed', output: [item] };
    const { translation } = translated('anthropic', 'openai-responses');
    const seen = JSON.parse(String(translateAnswer(Buffer.from(JSON.stringify(answer)), translation)));
    assert.equal(seen.content[0].type, 'thinking');
    const next = { ...REQUESTS.anthropic, messages: [{ role: 'assistant', content: seen.content }] };
    assert.deepEqual(translated('anthropic', 'openai-responses', next).json.input, [item]);
    // Anthropic itself would refuse that signature: it is left out there.
    assert.deepEqual(translated('anthropic', 'openai-chat', next).losses, ['messages.reasoning']);
  });
});

/** Feeds a stream in pieces of `size` bytes and gives what the client gets. */
function run(translation: Translation, stream: string, size: number) {
  const machine = new TranslatedStream(DIALECTS[translation.backend].newStream(), translation);
  const bytes = Buffer.from(stream);
  const passed: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) passed.push(machine.push(bytes.subarray(at, at + size)));
  const end = machine.finish();
  const early = Buffer.concat(passed);
  const tail = 'tail' in end ? Buffer.from(end.tail) : Buffer.alloc(0);
  return { end, early: early.toString(), bytes: Buffer.concat([early, tail]).toString() };
}

describe('a failure of a backend in its client’s dialect', () => {
  for (const [client, backend] of PAIRS) {
    const { translation } = translated(client, backend);

    test(`${backend}'s errors reach ${client}`, () => {
      const body = Buffer.from(JSON.stringify(CODECS[backend].encodeFailure(429, 'Slow down.')));
      const told = JSON.parse(String(translateFailure(429, body, translation)));
      assert.equal(told.error.message, 'Slow down.');
      assert.equal(told.error.type, 'rate_limit_error');
      assert.ok(String(translateFailure(500, Buffer.from('<html>'), translation)).includes('<html>'));
      if (client === 'anthropic') return;
      // By this code its clients know that the conversation must become shorter.
      const code = 'context_length_exceeded';
      const words = 'prompt is too long: 9 tokens > 8 maximum';
      const long = CODECS[backend].encodeFailure(400, words, backend === 'anthropic' ? undefined : code);
      const full = translateFailure(400, Buffer.from(JSON.stringify(long)), translation);
      assert.equal(JSON.parse(String(full)).error.code, code);
    });

    test(`what the kernel itself says of ${backend} in mid-stream reaches ${client}`, () => {
      const event = DIALECTS[backend].encodeErrorEvent({ code: 'failed', message: 'Broken.' }, 1);
      const [start] = CODECS[backend].newEncoder(AT).event({ kind: 'start', id: '1', model: 'm' });
      const { end, bytes } = run(translation, `${String(start)}${event}`, 9);
      assert.equal(end.kind, 'error');
      assert.ok(bytes.includes('Broken.'));
    });
  }
});
