/**
 * Messages of agents' clients with one place that holds something else: a hook's, an MCP client's in both eras, model calls
 * in every dialect, also where they are translated. They may be refused, and none ends the kernel.
 */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { isRecord, type Json, type JsonRecord } from '../../src/base/json.ts';
import { startKernel } from '../kernel.ts';

interface Sample {
  readonly path: string;
  readonly body: JsonRecord;
  readonly headers?: Record<string, string>;
}

const TOOLS: Record<string, JsonRecord> = {
  Bash: { command: 'cd /tmp && git commit -m "x" > a.txt; npm i; kill 5; python3 -m http.server 8000' },
  Write: { file_path: '/tmp/mezz-none/a', content: 'x' },
  MultiEdit: { file_path: '/tmp/mezz-none/a', edits: [{ old_string: 'a', new_string: 'b' }] },
  Read: { file_path: '/tmp/mezz-none/a' },
  apply_patch: { input: '*** Begin Patch\n*** Update File: a.txt\n@@\n-a\n+b\n*** End Patch' },
  shell: { command: ['bash', '-lc', 'ls > x'], workdir: '/tmp' },
  mcp__files__read: { path: '/tmp' },
};
const hooks = Object.entries(TOOLS).flatMap(([tool_name, tool_input]) =>
  ['PreToolUse', 'PostToolUse', 'Stop'].flatMap((hook_event_name) =>
    ['claude', 'codex', 'gemini'].map(
      (client): Sample => ({
        path: `/hooks/${client}`,
        body: {
          ...{ hook_event_name, session_id: 's', agent_id: 'x', cwd: '/tmp', tool_name, tool_input },
          ...{ tool_use_id: 'toolu_1', turn_id: 't', tool_response: { stdout: 'x' } },
        },
      }),
    ),
  ),
);

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'tester', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': { elicitation: {}, sampling: {} },
};
const METHODS: [string, JsonRecord][] = [
  ['tools/call', { name: 'mezz__read_result', arguments: { handle: 'x', offset: 1 }, task: { ttl: 5 } }],
  ['tools/call', { name: 'files__x', arguments: {}, requestState: 'x', inputResponses: { a: {} } }],
  ['tools/list', { cursor: 'at-1' }],
  ['resources/read', { uri: 'mezz://x/y' }],
  ['prompts/get', { name: 'x', arguments: { a: 'b' } }],
  ['completion/complete', { ref: { type: 'ref/prompt', name: 'x' }, argument: { name: 'a', value: 'b' } }],
  ['initialize', { protocolVersion: '2025-11-25', capabilities: { roots: {} }, clientInfo: { name: 'x' } }],
  ['tasks/get', { taskId: 'x' }],
  ['tasks/update', { taskId: 'x', inputResponses: {} }],
  ['notifications/cancelled', { requestId: 1 }],
];
const accept = 'application/json, text/event-stream';
const mcp = METHODS.flatMap(([method, params]): Sample[] => [
  { path: '/mcp', body: { jsonrpc: '2.0', id: 1, method, params }, headers: { accept } },
  {
    path: '/mcp',
    body: { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: META } },
    headers: { accept, 'mcp-protocol-version': '2026-07-28', 'mcp-method': method },
  },
]);

const CALL = { id: 'c1', type: 'function', function: { name: 'Bash', arguments: '{"command":"ls"}' } };
const models = ['via-messages', 'via-chat', 'via-responses', 'house-model'].flatMap((model) =>
  [true, false].flatMap((stream): Sample[] => [
    {
      path: '/v1/messages',
      body: {
        ...{ model, stream, max_tokens: 50, system: [{ type: 'text', text: 's' }] },
        tools: [{ name: 'Bash', input_schema: { type: 'object' } }, { type: 'web_search_20250305' }],
        messages: [
          { role: 'user', content: [{ type: 'image', source: { type: 'base64', data: 'aa' } }] },
          { role: 'assistant', content: [{ type: 'tool_use', id: 'c1', name: 'Bash', input: { a: 1 } }] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c1', content: 'r' }] },
        ],
      },
    },
    {
      path: '/v1/chat/completions',
      body: {
        ...{ model, stream, stream_options: { include_usage: true }, tool_choice: 'auto' },
        response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'object' } } },
        tools: [{ type: 'function', function: { name: 'Bash', parameters: { type: 'object' } } }],
        messages: [
          { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,aa' } }] },
          { role: 'assistant', content: null, tool_calls: [CALL] },
          { role: 'tool', tool_call_id: 'c1', content: 'r' },
        ],
      },
    },
    {
      path: '/v1/responses',
      body: {
        ...{ model, stream, instructions: 's', reasoning: { effort: 'low' } },
        tools: [{ type: 'function', name: 'Bash', parameters: {} }, { type: 'web_search' }],
        input: [
          { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] },
          { type: 'reasoning', summary: [{ type: 'summary_text', text: 'x' }], encrypted_content: 'z' },
          { type: 'function_call', call_id: 'c1', name: 'Bash', arguments: '{}' },
          { type: 'function_call_output', call_id: 'c1', output: 'r' },
        ],
      },
    },
  ]),
);
const embeddings: Sample = { path: '/v1/embeddings', body: { model: 'text-embedding-3', input: ['a'] } };

const words = [
  ...['toString', 'constructor', '__proto__', 'length', '', ' ', '\0', '\ud800', '../../etc', '$(x)', "it's"],
  ...[
    '"',
    'data: x\n\n',
    'a'.repeat(5000),
    '🌍',
    'git toString',
    "bash -c 'x",
    '<<EOF\nx',
    '{"a":',
    '\r\nx: y',
  ],
];
const other: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(...words),
  fc.constantFrom<Json>(null, true, 0, -1, 1e308, 2 ** 53, [], {}, [null], [[]], [{}]),
  fc.constantFrom<Json>({ toString: 1 }, { toJSON: 1 }, JSON.parse('{"then":1}'), { length: 5 }),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
);

/** What stands at the end of a path is another value, gone, or goes by another name. */
function changed(value: Json, [step, ...rest]: readonly number[], to: Json): Json {
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  if (step === undefined || keys.length === 0) return to;
  const key = keys[step % keys.length] as string;
  if (Array.isArray(value))
    return value.map((one, at) => (String(at) === key ? changed(one, rest, to) : one));
  const { [key]: old, ...others } = value as JsonRecord;
  if (rest.length === 0 && step % 7 === 0) return others;
  if (rest.length === 0 && step % 7 === 1 && typeof to === 'string') return { ...others, [to]: old as Json };
  return { ...others, [key]: changed(old as Json, rest, to) };
}

/** The status, or 0 where it waits, for a person or for what another holds, and its client left. */
function post(url: string, body: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
    });
    const timer = setTimeout(() => {
      resolve(0);
      call.destroy();
    }, 150);
    call.on('response', (response) => {
      response.resume();
      response.on('close', () => {
        clearTimeout(timer);
        resolve(response.statusCode ?? 0);
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

test('whatever an agent sends in one place of a message, it is answered and the kernel goes on', async () => {
  const kernel = await startKernel(() => ({ text: 'hi' }), 'loop: { repeats: 100000 }\n');
  try {
    const { origin, token } = await kernel.agent();
    const answered = new Map<number, number>();
    const samples = fc.oneof(
      fc.constantFrom(...hooks),
      fc.constantFrom(...mcp),
      fc.constantFrom(...models, embeddings),
    );
    const path = fc.array(fc.nat(40), { minLength: 1, maxLength: 7 });
    await fc.assert(
      fc.asyncProperty(samples, path, other, async (sample, at, to) => {
        const body = changed(sample.body, at, to);
        if (isRecord(body) && body.id === undefined && sample.path === '/mcp') return;
        const status = await post(`${origin}/a/${token}${sample.path}`, JSON.stringify(body), sample.headers);
        answered.set(status, (answered.get(status) ?? 0) + 1);
        assert.notEqual(status, 500, JSON.stringify(body));
      }),
      { numRuns: Number(process.env.RUNS ?? 300) },
    );
    assert.ok((answered.get(200) ?? 0) > 30 && (answered.get(400) ?? 0) > 30, 'both kinds were reached');
    assert.equal((await kernel.control.call('status', {})).agents > 0, true);
  } finally {
    await kernel.close();
  }
});
