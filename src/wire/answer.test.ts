import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { readArguments } from './answer.ts';
import type { Answer, Dialect } from './dialect.ts';
import { DIALECTS } from './registry.ts';
import { appendElements } from './transforms/held.ts';

const { anthropic, 'openai-chat': chat, 'openai-responses': responses } = DIALECTS;
const bytes = (text: string) => Buffer.from(text);
const sse = (...events: readonly object[]) =>
  bytes(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));

function read(dialect: Dialect, body: Buffer): Answer {
  const answer = dialect.readAnswer(body);
  assert.ok(answer);
  return answer;
}
/** The continued body, checked to be what came before with one insertion. */
function continued(dialect: Dialect, body: string, answer: Answer): string {
  const results = answer.calls.map((call) => ({ call, text: 'no' }));
  const next = dialect.continueRefused(bytes(body), answer, results)?.toString();
  assert.ok(next !== undefined);
  assert.ok(!('problem' in dialect.readRequest(bytes(next))));
  return next;
}
const inserted = (before: string, after: string, head: string): string => {
  const tail = before.slice(head.length);
  assert.ok(after.startsWith(head) && after.endsWith(tail), 'no other byte changes');
  return after.slice(head.length, after.length - tail.length);
};

describe('a Messages answer', () => {
  const block = (index: number, content_block: object) => ({
    type: 'content_block_start',
    index,
    content_block,
  });
  const delta = (index: number, inner: object) => ({ type: 'content_block_delta', index, delta: inner });
  const events = [
    block(0, { type: 'thinking', thinking: '', signature: '' }),
    delta(0, { type: 'thinking_delta', thinking: 'hm\u2028 "so"' }),
    delta(0, { type: 'thinking_delta', thinking: '.' }),
    delta(0, { type: 'signature_delta', signature: 'EqQBCkYIBB==' }),
    block(1, { type: 'redacted_thinking', data: 'opaque==' }),
    block(2, { type: 'text', text: '' }),
    block(3, { type: 'server_tool_use', id: 's1', name: 'web_search', input: {} }),
    delta(3, { type: 'input_json_delta', partial_json: '{"query":"x"}' }),
    block(4, { type: 'text', text: '' }),
    delta(4, { type: 'text_delta', text: 'Let me.' }),
    delta(4, { type: 'citations_delta', citation: { url: 'u' } }),
    block(5, { type: 'tool_use', id: 't1', name: 'Bash', input: {} }),
    delta(5, { type: 'input_json_delta', partial_json: '{"command": "ls", "n": 1234567' }),
    delta(5, { type: 'input_json_delta', partial_json: '8901234567890}' }),
    block(6, { type: 'tool_use', id: 't2', name: 'Stop', input: {} }),
    { type: 'message_stop' },
  ];

  test('streamed: blocks as they were, thinking and signatures whole, numbers exact, server tools not asked', () => {
    const answer = read(anthropic, sse(...events));
    assert.deepEqual(answer.items, [
      '{"type":"thinking","thinking":"hm\u2028 \\"so\\".","signature":"EqQBCkYIBB=="}',
      '{"type":"redacted_thinking","data":"opaque=="}',
      '{"type":"text","text":""}',
      '{"type":"server_tool_use","id":"s1","name":"web_search","input":{"query":"x"}}',
      '{"type":"text","text":"Let me.","citations":[{"url":"u"}]}',
      '{"type":"tool_use","id":"t1","name":"Bash","input":{"command": "ls", "n": 12345678901234567890}}',
      '{"type":"tool_use","id":"t2","name":"Stop","input":{}}',
    ]);
    assert.deepEqual(
      answer.calls.map(({ id, name, input }) => [id, name, input]),
      [
        ['t1', 'Bash', { command: 'ls', n: Number('12345678901234567890') }],
        ['t2', 'Stop', {}],
      ],
    );
  });
  test('whole: blocks byte for byte', () => {
    const blocks = [
      '{ "type":"thinking","signature":"s\\u003d" }',
      '{"type":"tool_use","id":"t","name":"B","input":{ "a":1.0 }}',
    ];
    const answer = read(anthropic, bytes(`\n {"type":"message","content":[${blocks.join(' , ')}]}`));
    assert.deepEqual(answer.items, blocks);
    assert.equal(answer.calls.length, 1);
  });
  test('with a part of an unknown kind still shows its calls, but cannot be continued', () => {
    const answer = read(anthropic, sse(...events, delta(4, { type: 'new_delta', x: 1 })));
    assert.equal(answer.items, undefined);
    assert.equal(answer.calls.length, 2);
    assert.equal(anthropic.continueRefused(bytes('{"messages":[]}'), answer, []), undefined);
  });
  test('is followed by the refused results, before the closing bracket and nowhere else', () => {
    const head = '{ "model":"m","messages" : [ {"role":"user","content":"[\\"]"} ';
    const body = `${head}],"z":[1]}`;
    const added = inserted(body, continued(anthropic, body, read(anthropic, sse(...events))), head);
    const [assistant, user] = JSON.parse(`[${added.slice(1)}]`);
    assert.equal(assistant.content.length, 6, 'the empty text is left out');
    assert.ok(added.includes('"n": 12345678901234567890'));
    assert.deepEqual(
      user.content.map((block: { tool_use_id: string; is_error: boolean }) => [
        block.tool_use_id,
        block.is_error,
      ]),
      [
        ['t1', true],
        ['t2', true],
      ],
    );
  });
});

describe('a Chat answer', () => {
  const chunk = (delta: object, index = 0) => ({ choices: [{ index, delta, finish_reason: null }] });
  const call = (index: number, more: object) => chunk({ tool_calls: [{ index, ...more }] });
  const events = [
    chunk({ role: 'assistant', content: null }),
    chunk({ role: 'assistant', reasoning_content: 'Th' }),
    chunk({ reasoning_content: 'ink', content: null }),
    chunk({ content: 'A' }),
    chunk({ content: 'B' }),
    call(0, { id: 'c0', type: 'function', function: { name: 'f', arguments: '' } }),
    call(1, { id: 'c1', type: 'function', function: { name: 'g', arguments: '{"x":' } }),
    call(1, { id: 'c1', function: { name: 'g', arguments: '1}' } }),
    call(2, { id: 'c2', type: 'custom', custom: { name: 'h', input: 'raw ' } }),
    call(2, { custom: { input: 'text' } }),
  ];
  test('streamed: put together once, whatever is repeated', () => {
    const answer = read(chat, Buffer.concat([sse(...events), bytes('data: [DONE]\n\n')]));
    assert.deepEqual(JSON.parse(answer.items?.[0] ?? ''), {
      role: 'assistant',
      content: 'AB',
      reasoning_content: 'Think',
      tool_calls: [
        { id: 'c0', type: 'function', function: { name: 'f', arguments: '' } },
        { id: 'c1', type: 'function', function: { name: 'g', arguments: '{"x":1}' } },
        { id: 'c2', type: 'custom', custom: { name: 'h', input: 'raw text' } },
      ],
    });
    assert.deepEqual(
      answer.calls.map(({ name, input }) => [name, input]),
      [
        ['f', {}],
        ['g', { x: 1 }],
        ['h', { input: 'raw text' }],
      ],
    );
  });
  test('whole: its message byte for byte, followed by the refused results', () => {
    const message =
      '{ "role":"assistant","content":null,"new":1.0,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}] }';
    const answer = read(chat, bytes(`{"choices":[{"index":0,"message":${message}}]}`));
    assert.deepEqual(answer.items, [message]);
    const head = '{"messages":[';
    const body = `${head}],"model":"m"}`;
    const added = inserted(body, continued(chat, body, answer), head);
    assert.equal(added, `${message},{"role":"tool","tool_call_id":"a","content":"no"}`);
  });
  test('of several choices shows the calls of all and cannot be continued', () => {
    const answer = read(
      chat,
      sse(
        ...events,
        chunk({ tool_calls: [{ index: 0, id: 'z', function: { name: 'q', arguments: '{}' } }] }, 1),
      ),
    );
    assert.equal(answer.items, undefined);
    assert.equal(answer.calls.length, 4);
  });
});

describe('a Responses answer', () => {
  const call = '{"type":"function_call","id":"fc_1","call_id":"a","name":"f","arguments":"{\\"x\\":1}"}';
  const encrypted = '{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAA=="}';
  const bare = '{"type":"reasoning","id":"rs_1","summary":[]}';
  const whole = (...items: string[]) => bytes(`{"object":"response","output":[${items.join(',')}]}`);
  const done = (output_index: number, item: string) =>
    bytes(`data: {"type":"response.output_item.done","output_index":${output_index},"item":${item}}\n\n`);
  const terminal = (...items: string[]) =>
    bytes(`data: {"type":"response.completed","response":{"output":[${items.join(',')}]}}\n\n`);

  test('streamed or whole: items byte for byte, in the order of the output', () => {
    const streams = [
      Buffer.concat([done(1, call), done(0, encrypted), terminal()]),
      Buffer.concat([done(1, call), done(0, encrypted), terminal(encrypted, call)]),
      terminal(encrypted, call),
      whole(encrypted, call),
    ];
    for (const stream of streams) assert.deepEqual(read(responses, stream).items, [encrypted, call]);
  });
  test('calls in the words that access policies read; what ran at the provider is none', () => {
    const answer = read(
      responses,
      whole(
        '{"type":"custom_tool_call","call_id":"1","name":"exec","input":"text"}',
        '{"type":"local_shell_call","call_id":"2","action":{"type":"exec","command":["ls","-l"]}}',
        '{"type":"shell_call","call_id":"3","action":{"commands":["ls","rm x"]}}',
        '{"type":"apply_patch_call","call_id":"4","operation":{"type":"create_file","path":"a.txt","diff":"+x"}}',
        '{"type":"shell_call","call_id":"5","action":{"commands":["ls"]}}',
        '{"type":"shell_call_output","call_id":"5","output":[]}',
        '{"type":"web_search_call","id":"ws_1"}',
      ),
    );
    assert.deepEqual(
      answer.calls.map(({ id, name, input }) => [id, name, input?.input ?? input?.command ?? input?.patch]),
      [
        ['1', 'exec', 'text'],
        ['2', 'local_shell', ['ls', '-l']],
        ['3', 'shell', 'ls\nrm x'],
        ['4', 'apply_patch', '*** Add File: a.txt\n+x'],
      ],
    );
    const next = continued(responses, '{"model":"m","input":[]}', answer);
    for (const type of ['custom_tool_call', 'local_shell_call', 'shell_call', 'apply_patch_call'])
      assert.ok(next.includes(`"type":"${type}_output","call_id"`), type);
  });
  test('is sent again as it came; reasoning that nobody keeps is left out, and with it the ids', () => {
    const body = (more: string) => `{"model":"m"${more},"input":"h\\u00e9"}`;
    const items = (more: string, ...answer: string[]) => {
      const next = continued(responses, body(more), read(responses, whole(...answer)));
      assert.ok(next.startsWith(`{"model":"m"${more},"input":[{"role":"user","content":"h\\u00e9"},`));
      return next;
    };
    assert.ok(items('', bare, call).includes(`${bare},${call},`));
    assert.ok(items(',"store":false', encrypted, call).includes(`${encrypted},${call},`));
    const lost = items(',"store":false', bare, call);
    assert.ok(!lost.includes('reasoning') && !lost.includes('fc_1') && lost.includes('"call_id":"a"'));
    const conversation = items(',"conversation":"conv_1"', bare, call);
    assert.ok(!conversation.includes('"function_call"') && conversation.includes('function_call_output'));
  });
  test('with a call whose result is no text cannot be continued', () => {
    const answer = read(responses, whole('{"type":"computer_call","call_id":"1","action":{"type":"click"}}'));
    const results = answer.calls.map((one) => ({ call: one, text: 'no' }));
    assert.equal(responses.continueRefused(bytes('{"model":"m","input":[]}'), answer, results), undefined);
  });
});

test('arguments that two readers could read differently are not read', () => {
  assert.deepEqual(readArguments(''), {});
  assert.deepEqual(readArguments(' {"a":{"b":1}} '), { a: { b: 1 } });
  assert.deepEqual(readArguments('[1]'), { value: [1] });
  for (const text of [
    '{"a":1,"a":2}',
    '{"x":{"a":1,"\\u0061":2}}',
    '{"x":[{"a":1,"a":1}]}',
    '{"a":1',
    '{a:1}',
  ])
    assert.equal(readArguments(text), undefined, text);
});

test('elements are appended to what is there, whatever its spelling', () => {
  const append = (body: string) => appendElements(bytes(body), 'input', ['1', '2']).toString();
  assert.equal(append('{"input":[]}'), '{"input":[1,2]}');
  assert.equal(append('{"input":[ 0 ] ,"a":[]}'), '{"input":[ 0 ,1,2] ,"a":[]}');
  assert.equal(append('{"a":1}'), '{"input":[1,2],"a":1}');
  assert.equal(append('{}'), '{"input":[1,2]}');
});
