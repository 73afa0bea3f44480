import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { ERRORS, type ErrorCode, refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/hash.ts';
import { anthropic } from './anthropic/dialect.ts';
import { decodeBody } from './encoding.ts';
import { openaiChat } from './openai-chat/dialect.ts';
import { openaiResponses } from './openai-responses/dialect.ts';
import { DIALECTS } from './registry.ts';
import { scanBody, textOf } from './scan.ts';
import { SseSplitter } from './sse.ts';
import { aliasModel } from './transforms/alias.ts';
import { askForUsage } from './transforms/usage.ts';

const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const problemOf = (text: string | Buffer) => {
  const scan = scanBody(Buffer.from(text), ['messages']);
  return 'problem' in scan ? scan.problem.message : undefined;
};
const facts = (dialect: (typeof DIALECTS)['anthropic'], body: unknown) => {
  const read = dialect.readRequest(bytes(body));
  assert.ok(!('problem' in read), 'problem' in read ? read.problem.message : '');
  return read;
};

describe('scan', () => {
  it('gives the ranges of members and elements, whatever the spelling', () => {
    const body = bytes(
      ' {"a" : [1, {"x":"]}\\\\\\""}] ,\n"messages":[ {"n":1} , "two",[] ],"e":{},"z":-1.5e+3}\t',
    );
    const scan = scanBody(body, ['messages']);
    assert.ok(!('problem' in scan));
    assert.deepEqual([...scan.members.keys()], ['a', 'messages', 'e', 'z']);
    assert.deepEqual(
      scan.elements.map((range) => textOf(body, range)),
      ['{"n":1}', '"two"', '[]'],
    );
    assert.equal(textOf(body, scan.members.get('z')!), '-1.5e+3');
    assert.equal(scan.members.get('a')?.keys, 1);
  });

  it('refuses what two parsers could read differently', () => {
    assert.match(problemOf('{"model":"a","mod\\u0065l":"b"}')!, /"model" appears twice/);
    assert.match(problemOf(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))!, /UTF-8/);
    assert.match(problemOf('{} {}')!, /offset 3/);
    for (const text of [
      '',
      '[]',
      '{',
      '{"a"}',
      '{"a":}',
      '{"a":1,}',
      '{"a":[1,]}',
      '{"a":[,]}',
      '{"a":{"b" 1}}',
      '{"a":{"b":1,}}',
      '{"a":[1}}',
      '{"a":"x}',
      '{"a":01}',
      '{"a":nul}',
      '{"a":{1:2}}',
      '{"a":[1 2]}',
      '{"a":"\\"}',
    ])
      assert.ok(problemOf(text) !== undefined, text);
  });

  it('knows which quote ends a long string', () => {
    const long = 'x'.repeat(40);
    for (const value of [`${long}" , "b`, `${long}\\`, `${long}\\" ]`, `${long}\\\\`, '\\'.repeat(31)]) {
      const body = bytes({ a: value, b: 1 });
      const scan = scanBody(body, []);
      assert.ok(!('problem' in scan), value);
      assert.equal(JSON.parse(textOf(body, scan.members.get('a')!)), value);
    }
  });

  it('bounds depth at 128 with the object itself', () => {
    const nested = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    assert.equal(problemOf(nested(128)), undefined);
    assert.match(problemOf(nested(129))!, /deeper than 128/);
    const inMessages = (levels: number) => nested(levels).replace('"a"', '"messages"');
    assert.equal(problemOf(inMessages(128)), undefined);
    assert.match(problemOf(inMessages(129))!, /deeper than 128/);
  });
});

describe('requests', () => {
  const claude = {
    model: 'claude-opus-5',
    max_tokens: 32000,
    stream: true,
    system: [{ type: 'text', text: 'You are…', cache_control: { type: 'ephemeral' } }],
    thinking: { type: 'adaptive' },
    context_management: { edits: [] },
    metadata: { user_id: 'u1' },
    tools: [
      { name: 'Bash', input_schema: {} },
      { type: 'bash_20250124', name: 'bash' },
    ],
    messages: [
      { role: 'user', content: 'hi' },
      {
        role: 'assistant',
        content: [{ type: 'tool_use', id: 't1', name: 'Bash', input: { file_id: 'mine' } }],
      },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', is_error: true, content: 'no' }] },
      { role: 'system', content: 'reminder' },
    ],
  };

  it('reads what Claude Code sends', () => {
    const read = facts(anthropic, claude);
    assert.equal(read.maxOutput, 32000);
    assert.equal(read.messages.length, 4);
    assert.deepEqual(read.toolResults, [{ id: 't1', isError: true }]);
    assert.equal(read.lastIsUser, false);
    assert.equal(read.conversationHint, 'u1');
    assert.deepEqual(read.hostedTools, []);
    assert.deepEqual(read.objects, [], 'an argument of a tool is no upstream object');
  });

  it('names hosted tools; a type it does not know acts', () => {
    const tools = [
      'web_search_20250305',
      'code_execution_20250825',
      'mcp_toolset',
      'bash_code_execution',
      'text_editor_20250728',
      'brand_new',
    ];
    const read = facts(anthropic, { ...claude, mcp_servers: [{}], tools: tools.map((type) => ({ type })) });
    assert.deepEqual(
      read.hostedTools.map((tool) => `${tool.type} ${tool.acts}`),
      [
        'web_search_20250305 false',
        'code_execution_20250825 true',
        'mcp_toolset true',
        'bash_code_execution true',
        'brand_new true',
        'mcp_servers true',
      ],
    );
  });

  it('knows lists of tools again by all their bytes, however many came between', () => {
    const types = Array.from({ length: 40 }, (_, i) => `tool_${10 + i}`);
    for (const type of [...types, ...types.toReversed(), ...types]) {
      const { hostedTools } = facts(openaiResponses, { model: 'm', input: 'x', tools: [{ type }] });
      assert.deepEqual(hostedTools, [{ type, acts: true }]);
    }
    const store = (id: string) => ({ type: 'file_search', vector_store_ids: [id] });
    for (const id of ['vs_1', 'vs_2', 'vs_1'])
      assert.deepEqual(facts(openaiResponses, { model: 'm', input: 'x', tools: [store(id)] }).objects, [id]);
  });

  it('names known tools by their hash, and reads what stands around them as ever', () => {
    const tools = '[{"type":"function","function":{"name":"a","parameters":{"type":"object"}}}]';
    for (const [before, after, twice] of [
      ['', '', ''],
      ['"user":"x",', ' ', ''],
      ['', ',"stop":["x"]', ''],
      ['', ']', '"," or "}" at offset'],
      ['', ',"tools":[]', 'appears twice'],
    ] as const) {
      const body = bytes(`{${before}"model":"m","messages":[],"tools":${tools}${after}}`);
      const read = openaiChat.readRequest(body);
      if ('problem' in read) assert.ok(twice !== '' && read.problem.message.includes(twice));
      else {
        const { start, end, hash } = read.tools ?? assert.fail();
        assert.equal(textOf(body, { start, end }), tools);
        assert.ok(twice === '' && (hash === undefined || hash === sha256Hex(tools)));
        if (before + after !== '') assert.ok(hash);
      }
    }
  });

  it('reads text that is no ASCII, and names that are spelled with escapes', () => {
    const asked = '{"mod\\u0065l":"größe","messages":[{"role":"user","content":"é"}],"user":"ü"}';
    const read = facts(openaiChat, asked);
    assert.equal(read.model, 'größe');
    assert.deepEqual(
      read.messages.map((range) => textOf(bytes(asked), range)),
      ['{"role":"user","content":"é"}'],
    );
  });

  it('reads what Codex sends, with tools in an input item and in namespaces', () => {
    const read = facts(openaiResponses, {
      model: 'gpt-5.5',
      stream: true,
      prompt_cache_key: 's1',
      client_metadata: {},
      input: [
        {
          type: 'additional_tools',
          tools: [
            { type: 'custom', name: 'exec' },
            { type: 'mcp', server_url: 'x' },
          ],
        },
        { role: 'user', content: [{ type: 'input_text', text: 'go' }] },
        { type: 'custom_tool_call', call_id: 'c1', name: 'exec', input: 'x' },
        { type: 'custom_tool_call_output', call_id: 'c1', output: 'y' },
      ],
      tools: [
        {
          type: 'namespace',
          tools: [{ type: 'function' }, { type: 'code_interpreter', container: 'cntr_1' }],
        },
        { type: 'shell' },
        { type: 'shell', environment: { type: 'container_auto' } },
      ],
    });
    assert.deepEqual(
      read.hostedTools.map((tool) => tool.type),
      ['code_interpreter', 'shell', 'mcp'],
    );
    assert.deepEqual(read.toolResults, [{ id: 'c1', isError: false }]);
    assert.equal(read.conversationHint, 's1');
  });

  it('cannot be hidden from by escapes or by a key twice', () => {
    const hidden =
      '{"model":"m","input":[{"type":"additional\\u005ftools","tools":[{"type":"mcp"}]},{"file\\u005fid":"f1"}]}';
    const read = facts(openaiResponses, hidden);
    assert.deepEqual(read.hostedTools, [{ type: 'mcp', acts: true }]);
    assert.deepEqual(read.objects, ['f1']);
    const twice = openaiResponses.readRequest(
      bytes('{"model":"m","input":"x","tools":[{"type":"mcp","type":"function"}]}'),
    );
    assert.ok('problem' in twice && /same key twice/.test(twice.problem.message));
    const broken = openaiResponses.readRequest(
      bytes('{"model":"m","input":"x","tools":[{"type":"mcp","d":"\t"}]}'),
    );
    assert.ok('problem' in broken, 'tools that cannot be parsed are not absent');
  });

  it('collects upstream objects', () => {
    assert.deepEqual(
      facts(openaiResponses, {
        model: 'm',
        input: 'x',
        previous_response_id: 'r1',
        conversation: { id: 'c1' },
        tools: [{ type: 'file_search', vector_store_ids: ['vs1'] }],
      }).objects,
      ['r1', 'c1', 'vs1'],
    );
    assert.deepEqual(
      facts(anthropic, {
        ...claude,
        container: { id: 'k1' },
        messages: [
          { role: 'user', content: [{ type: 'document', source: { type: 'file', file_id: 'f1' } }] },
        ],
      }).objects,
      ['k1', 'f1'],
    );
  });
});

describe('canonical messages', () => {
  it('are one for one conversation, and differ where it differs', () => {
    const one = anthropic.canonicalMessage(bytes({ role: 'user', content: 'hi' }));
    assert.equal(
      anthropic.canonicalMessage(
        bytes({
          content: [{ text: 'hi', cache_control: { type: 'ephemeral' }, type: 'text' }],
          role: 'user',
        }),
      ),
      one,
    );
    assert.notEqual(anthropic.canonicalMessage(bytes({ role: 'assistant', content: 'hi' })), one);
    assert.equal(
      openaiResponses.canonicalMessage(
        bytes({ type: 'message', id: 'msg_1', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }),
      ),
      openaiResponses.canonicalMessage(bytes('"hi"')),
    );
    assert.equal(
      openaiChat.canonicalMessage(bytes({ role: 'user', content: 'hi' })),
      openaiChat.canonicalMessage(bytes({ role: 'user', content: [{ type: 'text', text: 'hi' }] })),
    );
  });
});

describe('sse', () => {
  it('splits the same way at every cut, with every line ending', () => {
    const stream = bytes('\uFEFFdata: 1\r\n\r\n: note\n\nevent: x\rdata: a\rdata: b\r\rdata:2\n\n');
    for (let cut = 0; cut <= stream.length; cut++) {
      const splitter = new SseSplitter();
      const events = [...splitter.push(stream.subarray(0, cut)), ...splitter.push(stream.subarray(cut))];
      assert.deepEqual(
        events.map((event) => [event.name, event.data]),
        [
          ['', '1'],
          ['', ''],
          ['x', 'a\nb'],
          ['', '2'],
        ],
      );
      assert.deepEqual(Buffer.concat(events.map((event) => event.bytes)), stream);
    }
  });
});

it('sse: plain events and those that only look so', () => {
  const stream = bytes(
    'event: n\ndata: {"a":1}\n\ndata: 1\rdata: 2\n\nevent: x\rdata: 3\ndata: 4\n\ndata:5\n\ndata:  6 \n\ndata: 7\nid: 8\n\nevent: e\n\ndata: \n\n',
  );
  const events = new SseSplitter().push(stream);
  assert.deepEqual(
    events.map((event) => [event.name, event.data]),
    [
      ['n', '{"a":1}'],
      ['', '1\n2'],
      ['x', '3\n4'],
      ['', '5'],
      ['', ' 6 '],
      ['', '7'],
      ['e', ''],
      ['', ''],
    ],
  );
  const [first, last] = [events[0] ?? assert.fail(), events.at(-1) ?? assert.fail()];
  assert.deepEqual(first.upTo(last), stream);
});

it('sse: one byte at a time gives the same events', () => {
  const stream = bytes('data: 1\r\n\r\ndata: 2\n\ndata: 3\r\r\n');
  const splitter = new SseSplitter();
  const events = Array.from(stream, (byte) => splitter.push(Uint8Array.of(byte))).flat();
  assert.deepEqual(
    events.map((event) => event.data),
    ['1', '2', '3'],
  );
});

describe('transforms', () => {
  it('alias changes the model and no other byte', () => {
    assert.equal(
      aliasModel(bytes('{"x": 1 ,"model" : "a","model2":"a"}'), 'b"').toString(),
      '{"x": 1 ,"model" : "b\\"","model2":"a"}',
    );
  });

  it('usage asks by splicing', () => {
    const ask = (text: string) => askForUsage(bytes(text))?.toString();
    assert.equal(ask('{ "stream":true}'), '{"stream_options":{"include_usage":true}, "stream":true}');
    assert.equal(
      ask('{"stream":true,"stream_options":{}}'),
      '{"stream":true,"stream_options":{"include_usage":true}}',
    );
    assert.equal(
      ask('{"stream":true,"stream_options": {"z":1}}'),
      '{"stream":true,"stream_options": {"include_usage":true,"z":1}}',
    );
    assert.equal(
      ask('{"stream":true,"stream_options":{"include_usage": false}}'),
      '{"stream":true,"stream_options":{"include_usage": true}}',
    );
    assert.equal(
      ask('{"stream":true,"stream_options":null}'),
      '{"stream":true,"stream_options":{"include_usage":true}}',
    );
    assert.equal(ask('{"stream":true,"stream_options":{"include_usage":true}}'), undefined);
    assert.equal(ask('{"stream":false}'), undefined);
  });
});

describe('errors', () => {
  it('follow the table in every dialect', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      for (const dialect of Object.values(DIALECTS)) {
        const error = dialect.encodeError(
          refusal(code, 'what', { rule: 'r1', remedy: 'mezz x', retryAfterMs: 1200 }),
        );
        assert.equal(error.status, ERRORS[code].status);
        assert.deepEqual(error.headers.slice(2), [
          'x-should-retry',
          String(ERRORS[code].retry),
          'retry-after',
          '2',
        ]);
        const { message, type } = JSON.parse(error.body.toString()).error;
        assert.match(message, /what.*r1.*mezz x/);
        assert.equal(typeof type, 'string');
      }
    }
    assert.equal(
      JSON.parse(anthropic.encodeError(refusal('over_budget', 'x')).body.toString()).error.type,
      'billing_error',
    );
  });
});

describe('encodings', () => {
  it('decodes the four, bounds them and refuses others', async () => {
    const plain = bytes('{"a":1}');
    for (const [name, packed] of [
      ['gzip', gzipSync(plain)],
      ['br', brotliCompressSync(plain)],
      ['deflate', deflateSync(plain)],
      ['ZSTD', zstdCompressSync(plain)],
    ] as const)
      assert.deepEqual(await decodeBody(name, packed), plain);
    assert.equal(await decodeBody(undefined, plain), plain);
    const code = async (name: string, body: Uint8Array) =>
      ((await decodeBody(name, body)) as { code?: string }).code;
    assert.equal(await code('lzma', plain), 'unsupported_encoding');
    assert.equal(await code('gzip', plain), 'bad_request');
    assert.equal(await code('gzip', gzipSync(Buffer.alloc(67_108_865))), 'too_large');
  });
});
