/** OpenAI Chat Completions, also what most local engines speak. */

import { viewOf } from '../../base/bytes.ts';
import type { Refusal } from '../../base/errors.ts';
import { canonicalJson, isRecord, type JsonRecord, parseJson } from '../../base/json.ts';
import type { RequestFacts, ResponseFacts, ToolIntent, ToolResultFact } from '../../base/model.ts';
import type { Dialect, ReadProblem, Writable } from '../dialect.ts';
import { openaiError, wireError } from '../errors.ts';
import { hostedTools } from '../openai-responses/hosted.ts';
import { openaiUsage } from '../openai-responses/usage.ts';
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
  textMember,
  toolsOf,
} from '../read.ts';
import { encodeEvent } from '../sse.ts';
import { RuledStream } from '../stream.ts';
import { continueRefused, readAnswer } from './answer.ts';
import { ChatRules } from './rules.ts';

function readRequest(body: Uint8Array): RequestFacts | ReadProblem {
  return readBody(body, ['messages'], readFacts, TOOLS);
}

function readFacts(scan: Scanned): RequestFacts {
  const model = modelMember(scan);
  requireMember(scan, 'messages');
  const recent = sinceLastAnswer(scan, (message) => message.role === 'assistant');
  const results = recent
    .filter((message) => message.role === 'tool' || message.role === 'function')
    .map((message): ToolResultFact => ({ id: text(message, 'tool_call_id'), isError: false }));
  const hosted = TOOLS.read(scan);
  const facts: Writable<RequestFacts> = {
    dialect: 'openai-chat',
    model,
    stream: member(scan, 'stream') === true,
    choices: countMember(scan, 'n') ?? 1,
    messages: scan.elements,
    hostedTools: scan.members.has('web_search_options')
      ? [...hosted, hostedTool('web_search', false)]
      : hosted,
    toolResults: results,
    objects: upstreamObjects(scan),
    lastIsUser: results.length === 0 && recent.some((message) => message.role === 'user'),
  };
  const maxOutput = countMember(scan, 'max_completion_tokens') ?? countMember(scan, 'max_tokens');
  if (maxOutput !== undefined) facts.maxOutput = maxOutput;
  const tools = scan.members.get('tools');
  if (tools) facts.tools = toolsOf(tools);
  const hint = textMember(scan, 'prompt_cache_key');
  if (hint !== undefined) facts.conversationHint = hint;
  return facts;
}

const TOOLS = new Tools(hostedTools);
const NONE: readonly string[] = [];

function upstreamObjects(scan: Scanned): readonly string[] {
  if (!scan.namesFile) return NONE;
  const ids = new Set<string>();
  collectIds(member(scan, 'messages'), new Set(['file_id']), ids);
  return [...ids];
}

function readResponse(body: Uint8Array): ResponseFacts | undefined {
  const answer = parseJson(viewOf(body).toString('utf8'));
  if (!isRecord(answer)) return undefined;
  const choices = Array.isArray(answer.choices) ? answer.choices.filter(isRecord) : [];
  const intents: ToolIntent[] = [];
  for (const choice of choices) {
    const calls = record(choice.message).tool_calls;
    if (Array.isArray(calls)) intents.push(...calls.filter(isRecord).map(intentOf));
  }
  const facts: Writable<ResponseFacts> = {
    responseId: text(answer, 'id'),
    model: text(answer, 'model'),
    stopReason: choices[0] ? text(choices[0], 'finish_reason') : '',
    intents,
    objects: [],
  };
  if (isRecord(answer.usage)) facts.usage = openaiUsage(answer.usage);
  return facts;
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
  const message = parseJson(viewOf(bytes).toString('utf8'));
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
