/** Anthropic Messages (platform.claude.com, API version 2023-06-01), also its count_tokens. */
import { viewOf } from '../../base/bytes.ts';
import type { Refusal } from '../../base/errors.ts';
import { canonicalJson, isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import type {
  HostedTool,
  RequestFacts,
  ResponseFacts,
  ToolIntent,
  ToolResultFact,
} from '../../base/model.ts';
import type { Dialect, ReadProblem } from '../dialect.ts';
import { anthropicError, wireError } from '../errors.ts';
import {
  collectIds,
  countMember,
  hostedTool,
  member,
  modelMember,
  readBody,
  record,
  requireMember,
  type Scanned,
  sinceLastAnswer,
  Tools,
  text,
  toolsOf,
} from '../read.ts';
import { encodeEvent } from '../sse.ts';
import { RuledStream } from '../stream.ts';
import { continueRefused, readAnswer } from './answer.ts';
import { AnthropicRules } from './rules.ts';
import { anthropicUsage } from './usage.ts';

/** Typed tools that the client itself runs; every other typed tool runs at the provider. */
const CLIENT_TOOLS = /^(custom|(bash|text_editor|computer|memory)_\d{8})$/;
const READ_ONLY_HOSTED = /^(web_search|web_fetch|tool_search_tool_[a-z0-9]+)_\d{8}$/;
const OBJECT_MEMBERS = new Set(['file_id']);

function readRequest(body: Uint8Array): RequestFacts | ReadProblem {
  return readBody(body, ['messages'], readFacts, TOOLS);
}

function readFacts(scan: Scanned): RequestFacts {
  const model = modelMember(scan);
  requireMember(scan, 'messages');
  const recent = sinceLastAnswer(scan, (message) => message.role === 'assistant');
  const results = recent.flatMap(toolResults);
  const maxOutput = countMember(scan, 'max_tokens');
  const system = scan.members.get('system');
  const tools = scan.members.get('tools');
  const hint = text(record(member(scan, 'metadata')), 'user_id');
  return {
    dialect: 'anthropic',
    model,
    stream: member(scan, 'stream') === true,
    ...(maxOutput !== undefined ? { maxOutput } : {}),
    choices: 1,
    messages: scan.elements,
    ...(system ? { system } : {}),
    ...(tools ? { tools: toolsOf(tools) } : {}),
    hostedTools: hostedTools(scan),
    toolResults: results,
    objects: upstreamObjects(scan),
    lastIsUser: results.length === 0 && recent.some((message) => message.role === 'user'),
    ...(hint ? { conversationHint: hint } : {}),
  };
}

function toolResults(message: JsonRecord): ToolResultFact[] {
  if (!Array.isArray(message.content)) return [];
  return message.content
    .filter((block): block is JsonRecord => isRecord(block) && block.type === 'tool_result')
    .map((block) => ({ id: text(block, 'tool_use_id'), isError: block.is_error === true }));
}

const TOOLS = new Tools((tools) => {
  const found: HostedTool[] = [];
  for (const tool of Array.isArray(tools) ? tools : []) {
    const type = isRecord(tool) ? text(tool, 'type') : '';
    if (type === '' || CLIENT_TOOLS.test(type)) continue;
    found.push(hostedTool(type, !READ_ONLY_HOSTED.test(type)));
  }
  return found;
});

function hostedTools(scan: Scanned): HostedTool[] {
  const found = [...TOOLS.read(scan)];
  const servers = member(scan, 'mcp_servers');
  if (Array.isArray(servers) && servers.length > 0) found.push(hostedTool('mcp_servers', true));
  return found;
}

function upstreamObjects(scan: Scanned): string[] {
  const ids = new Set<string>();
  const container = member(scan, 'container');
  if (typeof container === 'string') ids.add(container);
  else if (text(record(container), 'id') !== '') ids.add(text(record(container), 'id'));
  if (scan.namesFile) collectIds(member(scan, 'messages'), OBJECT_MEMBERS, ids);
  return [...ids];
}

function readResponse(body: Uint8Array): ResponseFacts | undefined {
  const answer = parseJson(viewOf(body).toString('utf8'));
  if (!isRecord(answer)) return undefined;
  if (answer.type !== 'message') {
    const counted = typeof answer.input_tokens === 'number';
    return counted ? { intents: [], objects: [] } : undefined;
  }
  const blocks = Array.isArray(answer.content) ? answer.content : [];
  const intents = blocks
    .filter((block): block is JsonRecord => isRecord(block) && block.type === 'tool_use')
    .map(
      (block): ToolIntent => ({
        id: text(block, 'id'),
        name: text(block, 'name'),
        argumentsText: JSON.stringify(block.input ?? {}),
      }),
    );
  const objects = new Set<string>();
  collectIds(blocks, OBJECT_MEMBERS, objects);
  const container = text(record(answer.container), 'id');
  if (container !== '') objects.add(container);
  return {
    usage: anthropicUsage(record(answer.usage)),
    responseId: text(answer, 'id'),
    model: text(answer, 'model'),
    stopReason: text(answer, 'stop_reason'),
    intents,
    objects: [...objects],
  };
}

/** Without cache marks, and plain text in one spelling: what makes it the same message of the same conversation. */
function canonicalMessage(bytes: Uint8Array): string {
  const message = parseJson(viewOf(bytes).toString('utf8'));
  if (!isRecord(message)) return '';
  const content =
    typeof message.content === 'string'
      ? [{ type: 'text', text: message.content }]
      : (message.content ?? null);
  return canonicalJson({ role: message.role ?? null, content: withoutMarks(content) });
}

function withoutMarks(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutMarks);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'cache_control')
      .map(([key, inner]) => [key, withoutMarks(inner)]),
  );
}

export const anthropic: Dialect = {
  name: 'anthropic',
  readRequest,
  readResponse,
  newStream: () => new RuledStream(new AnthropicRules()),
  readAnswer,
  continueRefused,
  canonicalMessage,
  encodeError: (why: Refusal) => wireError(why, anthropicError(why)),
  encodeErrorEvent: (why: Refusal) => encodeEvent('error', JSON.stringify(anthropicError(why))),
  encodeHeartbeat: () => encodeEvent('ping', '{"type": "ping"}'),
};
