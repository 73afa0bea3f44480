import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import { LIMITS } from '../limits.ts';
import { shellWord } from '../shell.ts';

/** A model that is none: on loopback, labelled `lab`. It asks once for one shell command, and then is done. */
export interface Lab {
  readonly origin: string;
  /** Requests of the client for an answer. */
  readonly asked: number;
  /** Did it ask for the command? */
  readonly called: boolean;
  close(): Promise<void>;
}

interface ToolCall {
  readonly name: string;
  readonly custom: boolean;
  readonly input: Json;
}

const listOf = (value: Json | undefined): readonly JsonRecord[] =>
  Array.isArray(value) ? value.filter((item) => isRecord(item)) : [];

/** Every tool a request offers, by name: also those in namespaces and in Codex's `additional_tools` items. */
function offeredTools(body: JsonRecord): Map<string, string> {
  const found = new Map<string, string>();
  const collect = (tools: readonly JsonRecord[]): void => {
    for (const tool of tools) {
      if (typeof tool.name === 'string') found.set(tool.name, String(tool.type));
      collect(listOf(tool.tools));
    }
  };
  collect(listOf(body.tools));
  for (const item of listOf(body.input)) collect(listOf(item.tools));
  return found;
}

/** How each shell tool of the clients is called: Claude Code's, then Codex's (a program, and the older functions). */
function shellCall(offered: ReadonlyMap<string, string>, command: readonly string[]): ToolCall | undefined {
  const line = command.map(shellWord).join(' ');
  const program = `text((await tools.exec_command(${JSON.stringify({ cmd: line })})).output);`;
  const ways: readonly ToolCall[] = [
    {
      name: 'Bash',
      custom: false,
      input: { command: line, description: 'Try whether the gate refuses this' },
    },
    { name: 'exec', custom: true, input: program },
    { name: 'exec_command', custom: false, input: { cmd: line } },
    { name: 'shell_command', custom: false, input: { command: line } },
    { name: 'shell', custom: false, input: { command } },
  ];
  return ways.find(({ name, custom }) => offered.has(name) && (offered.get(name) === 'custom') === custom);
}

/** A tool's result came back: the call was made, or refused, and nothing more is asked for. */
const hasResult = (body: JsonRecord): boolean =>
  [...listOf(body.input), ...listOf(body.messages).flatMap((message) => listOf(message.content))].some(
    ({ type }) => type === 'tool_result' || String(type).endsWith('_call_output'),
  );

const event = (data: JsonRecord): string => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
const USAGE = { input_tokens: 1, output_tokens: 1 };

/** An Anthropic message, whole or as its events. */
function messagesAnswer(call: ToolCall | undefined, stream: boolean): string {
  const block: JsonRecord = call
    ? { type: 'tool_use', id: 'toolu_lab', name: call.name, input: call.input }
    : { type: 'text', text: 'Done.' };
  const stop = call ? 'tool_use' : 'end_turn';
  const message: JsonRecord = {
    ...{ id: 'msg_lab', type: 'message', role: 'assistant', model: 'lab', content: [block] },
    ...{ stop_reason: stop, stop_sequence: null, usage: USAGE },
  };
  if (!stream) return JSON.stringify(message);
  const delta = call
    ? { type: 'input_json_delta', partial_json: JSON.stringify(call.input) }
    : { type: 'text_delta', text: 'Done.' };
  return [
    { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
    {
      type: 'content_block_start',
      index: 0,
      content_block: call ? { ...block, input: {} } : { ...block, text: '' },
    },
    { type: 'content_block_delta', index: 0, delta },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: stop, stop_sequence: null }, usage: USAGE },
    { type: 'message_stop' },
  ]
    .map(event)
    .join('');
}

/** An OpenAI response, whole or as its events. */
function responsesAnswer(call: ToolCall | undefined, stream: boolean): string {
  const item: JsonRecord = call
    ? {
        ...{ id: 'item_lab', call_id: 'call_lab', name: call.name, status: 'completed' },
        ...(call.custom
          ? { type: 'custom_tool_call', input: call.input }
          : { type: 'function_call', arguments: JSON.stringify(call.input) }),
      }
    : {
        ...{ id: 'item_lab', type: 'message', role: 'assistant', status: 'completed' },
        content: [{ type: 'output_text', text: 'Done.', annotations: [] }],
      };
  const usage = { ...USAGE, total_tokens: 2 };
  const response: JsonRecord = {
    ...{ id: 'resp_lab', object: 'response', created_at: 0, status: 'completed', model: 'lab' },
    ...{ error: null, incomplete_details: null, output: [item], usage },
  };
  if (!stream) return JSON.stringify(response);
  const opened = { ...response, status: 'in_progress', output: [], usage: null };
  return [
    { type: 'response.created', sequence_number: 0, response: opened },
    { type: 'response.output_item.added', sequence_number: 1, output_index: 0, item },
    { type: 'response.output_item.done', sequence_number: 2, output_index: 0, item },
    { type: 'response.completed', sequence_number: 3, response },
  ]
    .map(event)
    .join('');
}

async function readBody(request: IncomingMessage): Promise<JsonRecord> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LIMITS.hookInputBytes.value) return {};
    chunks.push(chunk);
  }
  const body = parseJson(Buffer.concat(chunks).toString('utf8'));
  return isRecord(body) ? body : {};
}

/** Opens the lab. It is also the proxy of the client's environment, and lets nothing through to anywhere. */
export async function openLab(command: readonly string[]): Promise<Lab> {
  const seen = { asked: 0, called: false };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request);
    // A proxied request names another server: it has no path of ours.
    const path = request.url?.startsWith('/') ? request.url.split('?', 1)[0] : '';
    const isMessages = path?.endsWith('/messages');
    const known = request.method === 'POST' && (isMessages || path?.endsWith('/responses'));
    if (!known) {
      const counted = path?.endsWith('/count_tokens');
      response.writeHead(counted ? 200 : 404, {
        'content-type': 'application/json',
        'x-mezz-backend': 'lab',
      });
      response.end(counted ? '{"input_tokens":1}' : '{"error":{"type":"not_found_error","message":"lab"}}');
      return;
    }
    seen.asked++;
    const call = hasResult(body) ? undefined : shellCall(offeredTools(body), command);
    if (call) seen.called = true;
    const stream = body.stream === true;
    const type = stream ? 'text/event-stream' : 'application/json';
    response.writeHead(200, { 'content-type': type, 'x-mezz-backend': 'lab' });
    response.end(isMessages ? messagesAnswer(call, stream) : responsesAnswer(call, stream));
  };
  const server = createServer((request, response) => void serve(request, response));
  server.on('connect', (_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
  server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 426 Upgrade Required\r\n\r\n'));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get asked() {
      return seen.asked;
    },
    get called() {
      return seen.called;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
