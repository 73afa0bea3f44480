/** OpenAI Chat Completions, also what most local engines speak. */
import type { Refusal } from '../../base/errors.ts';
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
  modelMember,
  readBody,
  record,
  requireMember,
  type Scanned,
  sinceLastAnswer,
  text,
  textMember,
  toolsReader,
} from '../read.ts';
import { encodeEvent } from '../sse.ts';
import { RuledStream } from '../stream.ts';
import { continueRefused, readAnswer } from './answer.ts';
import { ChatRules } from './rules.ts';

function readRequest(body: Uint8Array): RequestFacts | ReadProblem {
  return readBody(body, ['messages'], readFacts);
}

function readFacts(scan: Scanned): RequestFacts {
  const model = modelMember(scan);
  requireMember(scan, 'messages');
  const recent = sinceLastAnswer(scan, (message) => message.role === 'assistant');
  const results = recent
    .filter((message) => message.role === 'tool' || message.role === 'function')
    .map((message): ToolResultFact => ({ id: text(message, 'tool_call_id'), isError: false }));
  const maxOutput = countMember(scan, 'max_completion_tokens') ?? countMember(scan, 'max_tokens');
  const tools = scan.members.get('tools');
  const hint = textMember(scan, 'prompt_cache_key');
  return {
    dialect: 'openai-chat',
    model,
    stream: member(scan, 'stream') === true,
    ...(maxOutput !== undefined ? { maxOutput } : {}),
    choices: countMember(scan, 'n') ?? 1,
    messages: scan.elements,
    ...(tools ? { tools } : {}),
    hostedTools: [
      ...readTools(scan),
      ...(scan.members.has('web_search_options') ? [hostedTool('web_search', false)] : []),
    ],
    toolResults: results,
    objects: upstreamObjects(scan),
    lastIsUser: results.length === 0 && recent.some((message) => message.role === 'user'),
    ...(hint !== undefined ? { conversationHint: hint } : {}),
  };
}

const readTools = toolsReader(hostedTools);

function upstreamObjects(scan: Scanned): string[] {
  const ids = new Set<string>();
  if (mentions(scan, 'file_id')) collectIds(member(scan, 'messages'), new Set(['file_id']), ids);
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
  readAnswer,
  continueRefused,
  canonicalMessage,
  encodeError: (why: Refusal) => wireError(why, openaiError(why)),
  encodeErrorEvent: (why: Refusal) => encodeEvent('', JSON.stringify(openaiError(why))),
  encodeHeartbeat: () => Buffer.from(': mezz\n\n'),
};
