/**
 * A scripted upstream that behaves like the real model APIs: full event sequences, streaming or not, any chunking,
 * 429s, cut connections, malformed events. It records what reaches it, byte for byte.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Recorded {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** Set when the caller closed before the answer was complete. */
  aborted: boolean;
}

export interface ToolUse {
  readonly id: string;
  readonly name: string;
  readonly input: object;
}

/** What one answer does. */
export interface Answer {
  readonly text?: string;
  readonly tools?: readonly ToolUse[];
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes of the stream after which the connection is cut. */
  readonly cutAfter?: number;
  /** Bytes per write; everything at once by default. */
  readonly chunk?: number;
  /** Waits between chunks, ms. */
  readonly pauseMs?: number;
  /** Never answers until the caller leaves. */
  readonly hang?: boolean;
  /** Sent instead of a well-formed stream. */
  readonly raw?: string;
}

export type Script = (request: Recorded, index: number) => Answer;

export interface Upstream {
  readonly origin: string;
  readonly requests: Recorded[];
  close(): Promise<void>;
}

export async function startUpstream(script: Script = () => ({ text: 'Hello.' })): Promise<Upstream> {
  const requests: Recorded[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const recorded: Recorded = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks),
        aborted: false,
      };
      requests.push(recorded);
      response.on('close', () => {
        recorded.aborted = !response.writableFinished;
      });
      void answer(response, recorded, script(recorded, requests.length - 1));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(response: ServerResponse, request: Recorded, plan: Answer): Promise<void> {
  if (plan.hang) return;
  const stream = /"stream"\s*:\s*true/.test(request.body.toString('utf8'));
  if (plan.status !== undefined && plan.status >= 300) {
    response.writeHead(plan.status, { 'content-type': 'application/json', ...plan.headers });
    response.end(
      JSON.stringify({ type: 'error', error: { type: 'scripted', message: `scripted ${plan.status}` } }),
    );
    return;
  }
  const path = request.url.split('?', 1)[0] as string;
  const asksUsage = /"include_usage"\s*:\s*true/.test(request.body.toString('utf8'));
  const text = plan.raw ?? bodyFor(path, stream, plan, asksUsage);
  response.writeHead(200, {
    'content-type': stream ? 'text/event-stream; charset=utf-8' : 'application/json',
    ...plan.headers,
  });
  const bytes = Buffer.from(text);
  const end = Math.min(bytes.length, plan.cutAfter ?? bytes.length);
  const step = plan.chunk ?? bytes.length;
  for (let at = 0; at < end; at += step) {
    response.write(bytes.subarray(at, Math.min(end, at + step)));
    if (plan.pauseMs !== undefined) await new Promise((resolve) => setTimeout(resolve, plan.pauseMs));
    if (response.destroyed) return;
  }
  if (plan.cutAfter !== undefined) {
    // What was written must arrive before the cut.
    await new Promise((resolve) => setTimeout(resolve, 30));
    response.destroy();
  } else response.end();
}

function bodyFor(path: string, stream: boolean, plan: Answer, asksUsage: boolean): string {
  if (path.endsWith('/count_tokens')) return '{"input_tokens": 42}';
  if (path.endsWith('/messages')) return stream ? messagesStream(plan) : messagesBody(plan);
  if (path.endsWith('/chat/completions')) return stream ? chatStream(plan, asksUsage) : chatBody(plan);
  if (path.endsWith('/embeddings'))
    return '{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,0.2]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":5,"total_tokens":5}}';
  return stream ? responsesStream(plan) : JSON.stringify(responseObject(plan, 'completed'));
}

const event = (data: { readonly type: string; readonly [field: string]: unknown }): string =>
  `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;

function messagesStream(plan: Answer): string {
  const events: string[] = [
    event({
      type: 'message_start',
      message: {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'claude-test',
        content: [],
        stop_reason: null,
        usage: {
          input_tokens: 10,
          cache_read_input_tokens: 100,
          cache_creation_input_tokens: 7,
          output_tokens: 1,
        },
      },
    }),
    event({ type: 'ping' }),
  ] as string[];
  let index = 0;
  const block = (start: object, deltas: object[]) => {
    events.push(event({ type: 'content_block_start', index, content_block: start }));
    for (const delta of deltas) events.push(event({ type: 'content_block_delta', index, delta }));
    events.push(event({ type: 'content_block_stop', index }));
    index++;
  };
  if (plan.text !== undefined)
    block(
      { type: 'text', text: '' },
      words(plan.text).map((text) => ({ type: 'text_delta', text })),
    );
  for (const tool of plan.tools ?? []) {
    const json = JSON.stringify(tool.input);
    block({ type: 'tool_use', id: tool.id, name: tool.name, input: {} }, [
      { type: 'input_json_delta', partial_json: json.slice(0, 3) },
      { type: 'input_json_delta', partial_json: json.slice(3) },
    ]);
  }
  events.push(
    event({
      type: 'message_delta',
      delta: { stop_reason: plan.tools?.length ? 'tool_use' : 'end_turn' },
      usage: { output_tokens: 20 },
    }),
  );
  events.push(event({ type: 'message_stop' }));
  return events.join('');
}

function messagesBody(plan: Answer): string {
  const content = [
    ...(plan.text === undefined ? [] : [{ type: 'text', text: plan.text }]),
    ...(plan.tools ?? []).map((tool) => ({ type: 'tool_use', ...tool })),
  ];
  return JSON.stringify({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-test',
    content,
    stop_reason: plan.tools?.length ? 'tool_use' : 'end_turn',
    usage: {
      input_tokens: 10,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 7,
      output_tokens: 20,
    },
  });
}

/** Like OpenAI: a usage chunk only where it was asked for, and then `usage: null` in all others. */
function chatStream(plan: Answer, asksUsage: boolean): string {
  const chunk = (choices: object[], more: object = asksUsage ? { usage: null } : {}) =>
    `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-test', choices, ...more })}\n\n`;
  const parts = [chunk([{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }])];
  for (const content of words(plan.text ?? ''))
    parts.push(chunk([{ index: 0, delta: { content }, finish_reason: null }]));
  (plan.tools ?? []).forEach((tool, index) => {
    parts.push(
      chunk([
        {
          index: 0,
          delta: {
            tool_calls: [
              { index, id: tool.id, type: 'function', function: { name: tool.name, arguments: '' } },
            ],
          },
          finish_reason: null,
        },
      ]),
    );
    parts.push(
      chunk([
        {
          index: 0,
          delta: { tool_calls: [{ index, function: { arguments: JSON.stringify(tool.input) } }] },
          finish_reason: null,
        },
      ]),
    );
  });
  parts.push(chunk([{ index: 0, delta: {}, finish_reason: plan.tools?.length ? 'tool_calls' : 'stop' }]));
  const usage = {
    prompt_tokens: 30,
    completion_tokens: 12,
    total_tokens: 42,
    prompt_tokens_details: { cached_tokens: 10 },
  };
  if (asksUsage) parts.push(chunk([], { usage }));
  return `${parts.join('')}data: [DONE]\n\n`;
}

function chatBody(plan: Answer): string {
  const calls = (plan.tools ?? []).map((tool) => ({
    id: tool.id,
    type: 'function',
    function: { name: tool.name, arguments: JSON.stringify(tool.input) },
  }));
  return JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'gpt-test',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: plan.text ?? null,
          ...(calls.length ? { tool_calls: calls } : {}),
        },
        finish_reason: calls.length ? 'tool_calls' : 'stop',
      },
    ],
    usage: {
      prompt_tokens: 30,
      completion_tokens: 12,
      total_tokens: 42,
      prompt_tokens_details: { cached_tokens: 10 },
    },
  });
}

function responseObject(plan: Answer, status: string): object {
  const output = [
    ...(plan.text === undefined
      ? []
      : [
          {
            type: 'message',
            id: 'item_1',
            role: 'assistant',
            status: 'completed',
            content: [{ type: 'output_text', text: plan.text, annotations: [] }],
          },
        ]),
    ...(plan.tools ?? []).map((tool) => ({
      type: 'function_call',
      id: `fc_${tool.id}`,
      call_id: tool.id,
      name: tool.name,
      arguments: JSON.stringify(tool.input),
      status: 'completed',
    })),
  ];
  const done = status === 'completed';
  return {
    id: 'resp_1',
    object: 'response',
    created_at: 1,
    status,
    model: 'gpt-test',
    output: done ? output : [],
    usage: done
      ? {
          input_tokens: 50,
          input_tokens_details: { cached_tokens: 20 },
          output_tokens: 9,
          output_tokens_details: { reasoning_tokens: 3 },
          total_tokens: 59,
        }
      : null,
  };
}

function responsesStream(plan: Answer): string {
  let sequence = 0;
  const parts: string[] = [];
  const push = (data: { readonly type: string; readonly [field: string]: unknown }) =>
    parts.push(event({ ...data, sequence_number: sequence++ }));
  push({ type: 'response.created', response: responseObject(plan, 'in_progress') });
  push({ type: 'response.in_progress', response: responseObject(plan, 'in_progress') });
  const { output } = responseObject(plan, 'completed') as { output: { type: string; id: string }[] };
  output.forEach((item, output_index) => {
    push({
      type: 'response.output_item.added',
      output_index,
      item: { ...item, status: 'in_progress' },
    });
    if (item.type === 'message') {
      push({
        type: 'response.content_part.added',
        item_id: item.id,
        output_index,
        content_index: 0,
        part: { type: 'output_text', text: '', annotations: [] },
      });
      for (const delta of words(plan.text ?? ''))
        push({
          type: 'response.output_text.delta',
          item_id: item.id,
          output_index,
          content_index: 0,
          delta,
        });
      push({
        type: 'response.output_text.done',
        item_id: item.id,
        output_index,
        content_index: 0,
        text: plan.text,
      });
      push({
        type: 'response.content_part.done',
        item_id: item.id,
        output_index,
        content_index: 0,
        part: { type: 'output_text', text: plan.text, annotations: [] },
      });
    }
    push({ type: 'response.output_item.done', output_index, item });
  });
  push({ type: 'response.completed', response: responseObject(plan, 'completed') });
  return parts.join('');
}

const words = (text: string): string[] => text.match(/\S+\s*|\s+/g) ?? [];
