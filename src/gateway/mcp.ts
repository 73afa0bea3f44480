/**
 * One MCP endpoint an agent, streamable HTTP without sessions: `/mcp` behind its key. Requests of 2025-11-25 and earlier
 * (initialize, ping) and of 2026-07-28 (server/discover, headers that repeat the body) are answered from the same URL.
 * Tools only; every answer is one JSON message.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CallId } from '../base/ids.ts';
import { isRecord, type Json, type JsonRecord, parseJson } from '../base/json.ts';
import { errorText } from '../wire/errors.ts';
import type { Bodies } from './body.ts';
import type { Caller, Kernel, ToolReply } from './kernel.ts';
import { LIMITS } from './limits.ts';
import { namedUse, tellOf } from './uses.ts';

const MODERN = '2026-07-28';
const EARLIER = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'];
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';

/** JSON-RPC's codes, and MCP's own for headers that are not what the body says. */
const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const NO_METHOD = -32601;
const INVALID_PARAMS = -32602;
const HEADER_MISMATCH = -32020;

type Answer = { readonly result: JsonRecord } | { readonly error: JsonRecord; readonly status?: number };

const failed = (code: number, message: string, status = 200): Answer => ({
  error: { code, message },
  status,
});

export async function serveMcp(
  { kernel, bodies }: { readonly kernel: Kernel; readonly bodies: Bodies },
  caller: Caller,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const held = bodies.hold();
  const body = await held.collect(request, LIMITS.hookBytes.value).finally(() => held.release());
  const message = 'code' in body ? undefined : parseJson(body.toString('utf8'));
  if (!isRecord(message) || message.jsonrpc !== '2.0' || typeof message.method !== 'string') {
    kernel.refusedAtDoor('bad_request');
    const code = message === undefined ? PARSE_ERROR : INVALID_REQUEST;
    return send(response, null, failed(code, 'not one JSON-RPC request', 400));
  }
  // Notifications have no answer; what they would cancel ends with its own connection.
  if (message.id === undefined) {
    response.writeHead(202, { 'content-length': 0 });
    return void response.end();
  }
  const left = new AbortController();
  response.on('close', () => left.abort());
  const { method } = message;
  const params = isRecord(message.params) ? message.params : {};
  const isModern = versionOf(params) === MODERN || request.headers['mcp-protocol-version'] === MODERN;
  const wrong = isModern ? mismatch(request, method, params) : undefined;
  const asked = { method, params, isModern, told: tellOf(kernel, response) };
  const answer = wrong ?? (await perform(kernel, caller, asked, left.signal));
  send(response, message.id, answer);
}

function versionOf({ _meta: meta }: JsonRecord): Json | undefined {
  return isRecord(meta) ? meta[VERSION_KEY] : undefined;
}

/** Whoever routes by a header must see what the body says. */
function mismatch(request: IncomingMessage, method: string, params: JsonRecord): Answer | undefined {
  const told = {
    'mcp-protocol-version': MODERN,
    'mcp-method': method,
    ...(method === 'tools/call' ? { 'mcp-name': String(params.name) } : {}),
  };
  const wrong = Object.entries(told).find(([name, value]) => request.headers[name] !== value);
  return wrong && failed(HEADER_MISMATCH, `the header ${wrong[0]} is not what the body says`, 400);
}

interface Asked {
  readonly method: string;
  readonly params: JsonRecord;
  readonly isModern: boolean;
  /** To be told which call the answer is of. */
  readonly told: (call: CallId) => void;
}

async function perform(kernel: Kernel, caller: Caller, asked: Asked, signal: AbortSignal): Promise<Answer> {
  const { method, params, isModern } = asked;
  const whole = (result: JsonRecord): Answer => ({
    result: isModern ? { resultType: 'complete', ...result } : result,
  });
  const serverInfo = { name: 'mezz', version: kernel.version };
  const capabilities = { tools: {} };
  switch (method) {
    case 'initialize': {
      const wanted = String(params.protocolVersion);
      const protocolVersion = EARLIER.includes(wanted) ? wanted : (EARLIER[0] as string);
      return { result: { protocolVersion, capabilities, serverInfo } };
    }
    case 'server/discover':
      return whole({ supportedVersions: [MODERN, ...EARLIER], capabilities, serverInfo, ...NOT_CACHED });
    case 'ping':
      return { result: {} };
    case 'tools/list':
      return whole({ tools: await kernel.tools(), ...(isModern ? NOT_CACHED : {}) });
    case 'tools/call': {
      const { name, arguments: input = {} } = params;
      if (typeof name !== 'string' || !isRecord(input))
        return failed(INVALID_PARAMS, 'tools/call takes a name and an object of arguments');
      const use = namedUse(params._meta);
      // Before 2026-07-28 a closed connection cancels nothing.
      const request = { name, input, use, outlives: !isModern };
      const reply = await kernel.tool(caller, request, signal);
      if (reply.call !== undefined) asked.told(reply.call);
      return whole(resultOf(reply.answer));
    }
    default:
      return failed(NO_METHOD, `mezz serves no ${method}`, isModern ? 404 : 200);
  }
}

/** What a server offers may change at any time, and an agent's key is not another's. */
const NOT_CACHED = { ttlMs: 0, cacheScope: 'private' } as const;

function resultOf(answer: ToolReply['answer']): JsonRecord {
  if (!('code' in answer)) return answer.result;
  // A refusal is a result that the model reads, not an error that its client hides.
  return { content: [{ type: 'text', text: errorText(answer) }], isError: true };
}

function send(response: ServerResponse, id: Json, answer: Answer): void {
  const { status = 200, ...rest } = 'error' in answer ? answer : { ...answer, status: 200 };
  const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, ...rest }));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}
