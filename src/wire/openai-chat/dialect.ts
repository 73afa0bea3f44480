/** OpenAI Chat Completions, also what most local engines speak. */
import { refusal, type Refusal } from '../../base/errors.ts';
import { canonicalJson, isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import type { RequestFacts, ResponseFacts, ToolIntent, ToolResultFact } from '../../base/model.ts';
import type { Dialect, ReadProblem } from '../dialect.ts';
import { openaiError, wireError } from '../errors.ts';
import { hostedTools } from '../openai-responses/hosted.ts';
import { openaiUsage } from '../openai-responses/usage.ts';
import {
  collectIds,
  countMember,
  hostedTool,
  member,
  mentions,
  record,
  type Scanned,
  sinceLastAnswer,
  text,
  textMember,
} from '../read.ts';
import { scanBody } from '../scan.ts';
import { encodeEvent } from '../sse.ts';
import { RuledStream } from '../stream.ts';
import { ChatRules } from './rules.ts';

function readRequest(body: Uint8Array): RequestFacts | ReadProblem {
  const scan = scanBody(body, ['messages']);
  if ('problem' in scan) return scan;
  const scanned: Scanned = { ...scan, body };
  const model = textMember(scanned, 'model');
  if (model === undefined)
    return { problem: refusal('bad_request', 'The member "model" is missing or not a string.') };
  if (!scan.members.has('messages'))
    return { problem: refusal('bad_request', 'The member "messages" is missing.') };
  const recent = sinceLastAnswer(scanned, (message) => message.role === 'assistant');
  const results = recent
    .filter((message) => message.role === 'tool' || message.role === 'function')
    .map((message): ToolResultFact => ({ id: text(message, 'tool_call_id'), isError: false }));
  const maxOutput = countMember(scanned, 'max_completion_tokens') ?? countMember(scanned, 'max_tokens');
  const tools = scan.members.get('tools');
  const hint = textMember(scanned, 'prompt_cache_key');
  return {
    dialect: 'openai-chat',
    model,
    stream: member(scanned, 'stream') === true,
    ...(maxOutput !== undefined ? { maxOutput } : {}),
    choices: countMember(scanned, 'n') ?? 1,
    messages: scan.elements,
    ...(tools ? { tools } : {}),
    hostedTools: [
      ...hostedTools(member(scanned, 'tools')),
      ...(scan.members.has('web_search_options') ? [hostedTool('web_search', false)] : []),
    ],
    toolResults: results,
    objects: upstreamObjects(scanned),
    lastIsUser: results.length === 0 && recent.some((message) => message.role === 'user'),
    ...(hint !== undefined ? { conversationHint: hint } : {}),
  };
}

function upstreamObjects(scan: Scanned): string[] {
  const ids = new Set<string>();
  if (mentions(scan.body, 'file_id')) collectIds(member(scan, 'messages'), new Set(['file_id']), ids);
  return [...ids];
}

function readResponse(body: Uint8Array): ResponseFacts | undefined {
  const answer = parseJson(Buffer.from(body).toString('utf8'));
  if (!isRecord(answer)) return undefined;
  const choices = Array.isArray(answer.choices) ? answer.choices.filter(isRecord) : [];
  const intents = choices.flatMap((choice) => {
    const calls = record(choice.message).tool_calls;
    return (Array.isArray(calls) ? calls.filter(isRecord) : []).map(intentOf);
  });
  return {
    ...(isRecord(answer.usage) ? { usage: openaiUsage(answer.usage) } : {}),
    responseId: text(answer, 'id'),
    model: text(answer, 'model'),
    stopReason: text(choices[0] ?? {}, 'finish_reason'),
    intents,
    objects: [],
  };
}

function intentOf(call: JsonRecord): ToolIntent {
  const made = record(call.function ?? call.custom);
  return {
    id: text(call, 'id'),
    name: text(made, 'name'),
    argumentsText: text(made, 'arguments') || text(made, 'input'),
  };
}

function canonicalMessage(bytes: Uint8Array): string {
  const message = parseJson(Buffer.from(bytes).toString('utf8'));
  if (!isRecord(message)) return '';
  const { content, role, tool_calls: calls, tool_call_id: call } = message;
  const parts = typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? null);
  return canonicalJson({ role: role ?? null, content: parts, calls: calls ?? null, call: call ?? null });
}

export const openaiChat: Dialect = {
  name: 'openai-chat',
  readRequest,
  readResponse,
  newStream: () => new RuledStream(new ChatRules()),
  canonicalMessage,
  encodeError: (why: Refusal) => wireError(why, openaiError(why)),
  encodeErrorEvent: (why: Refusal) => encodeEvent('', JSON.stringify(openaiError(why))),
  encodeHeartbeat: () => Buffer.from(': mezz\n\n'),
};
