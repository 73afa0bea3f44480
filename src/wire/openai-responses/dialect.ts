/** OpenAI Responses, as the API, Codex and chatgpt.com's backend speak it. */
import { viewOf } from '../../base/bytes.ts';
import type { Refusal } from '../../base/errors.ts';
import { canonicalJson, isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import type { RequestFacts, ResponseFacts, ToolResultFact } from '../../base/model.ts';
import type { Dialect, ReadProblem } from '../dialect.ts';
import { openaiError, wireError } from '../errors.ts';
import {
  collectIds,
  countMember,
  hostedTool,
  member,
  mentions,
  modelMember,
  readBody,
  recordAt,
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
import { factsOf } from './facts.ts';
import { hostedTools } from './hosted.ts';
import { ResponsesRules } from './rules.ts';

const OBJECT_MEMBERS = new Set(['file_id']);

function readRequest(body: Uint8Array): RequestFacts | ReadProblem {
  return readBody(body, ['input'], readFacts, TOOLS);
}

function readFacts(scan: Scanned): RequestFacts {
  // A stored prompt may carry the model; then the member is absent.
  const model = scan.members.has('prompt') ? (textMember(scan, 'model') ?? '') : modelMember(scan);
  const recent = sinceLastAnswer(scan, isAnswer);
  const results = recent
    .filter(isResult)
    .map((item): ToolResultFact => ({ id: text(item, 'call_id'), isError: false }));
  const maxOutput = countMember(scan, 'max_output_tokens');
  const system = scan.members.get('instructions');
  const tools = scan.members.get('tools');
  const input = scan.members.get('input');
  const hint = textMember(scan, 'prompt_cache_key');
  return {
    dialect: 'openai-responses',
    model,
    stream: member(scan, 'stream') === true,
    ...(maxOutput !== undefined ? { maxOutput } : {}),
    choices: 1,
    messages: scan.elements.length === 0 && input ? [input] : scan.elements,
    ...(system ? { system } : {}),
    ...(tools ? { tools: toolsOf(tools) } : {}),
    // A prompt stored upstream brings tools that nobody here can see.
    hostedTools: [
      ...TOOLS.read(scan).hosted,
      ...addedTools(scan),
      ...(isRecord(member(scan, 'prompt')) ? [hostedTool('prompt', true)] : []),
    ],
    toolResults: results,
    objects: upstreamObjects(scan),
    lastIsUser:
      results.length === 0 && (scan.elements.length === 0 || recent.some((item) => item.role === 'user')),
    ...(hint !== undefined ? { conversationHint: hint } : {}),
  };
}

const isResult = (item: JsonRecord): boolean => text(item, 'type').endsWith('_output');
const isAnswer = (item: JsonRecord): boolean =>
  item.role === 'assistant' || /(_call|^reasoning|^compaction)$/.test(text(item, 'type'));

const TOOLS = new Tools((tools) => {
  const objects = new Set<string>();
  addToolObjects(tools, objects);
  return { hosted: hostedTools(tools), objects: [...objects] };
});

/** Codex puts its tools into an `additional_tools` input item. */
function addedTools(scan: Scanned) {
  if (!mentions(scan, 'additional_tools')) return [];
  return scan.elements.flatMap((range) => {
    const item = recordAt(scan, range);
    return item?.type === 'additional_tools' ? hostedTools(item.tools) : [];
  });
}

function upstreamObjects(scan: Scanned): string[] {
  const ids = new Set<string>();
  const previous = textMember(scan, 'previous_response_id');
  if (previous !== undefined) ids.add(previous);
  const conversation = member(scan, 'conversation');
  if (typeof conversation === 'string') ids.add(conversation);
  else if (isRecord(conversation) && typeof conversation.id === 'string') ids.add(conversation.id);
  if (scan.namesFile) collectIds(member(scan, 'input'), OBJECT_MEMBERS, ids);
  for (const id of TOOLS.read(scan).objects) ids.add(id);
  return [...ids];
}

/** Containers and vector stores that tools name. */
function addToolObjects(tools: Json | undefined, ids: Set<string>): void {
  for (const tool of Array.isArray(tools) ? tools : []) {
    if (!isRecord(tool)) continue;
    if (typeof tool.container === 'string') ids.add(tool.container);
    collectIds(tool.environment, new Set(['container_id']), ids);
    for (const store of Array.isArray(tool.vector_store_ids) ? tool.vector_store_ids : [])
      if (typeof store === 'string') ids.add(store);
  }
}

function readResponse(body: Uint8Array): ResponseFacts | undefined {
  const answer = parseJson(viewOf(body).toString('utf8'));
  if (!isRecord(answer)) return undefined;
  if (answer.object === 'response') return factsOf(answer);
  return { intents: [], objects: typeof answer.id === 'string' ? [answer.id] : [] };
}

/** Role and content, with plain text in one spelling; ids and statuses that clients drop or renew do not count. */
function canonicalMessage(bytes: Uint8Array): string {
  const item = parseJson(viewOf(bytes).toString('utf8'));
  if (typeof item === 'string')
    return canonicalJson({ role: 'user', content: [{ type: 'text', text: item }] });
  if (!isRecord(item)) return '';
  if (typeof item.role === 'string')
    return canonicalJson({ role: item.role, content: canonicalContent(item.content ?? null) });
  const { id: _id, status: _status, internal_chat_message_metadata_passthrough: _extra, ...rest } = item;
  return canonicalJson(rest);
}

function canonicalContent(content: Json): Json {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) return content;
  return content.map((part) => {
    if (!isRecord(part) || typeof part.text !== 'string') return part;
    return { type: 'text', text: part.text };
  });
}

export const openaiResponses: Dialect = {
  name: 'openai-responses',
  readRequest,
  readResponse,
  newStream: () => new RuledStream(new ResponsesRules()),
  readAnswer,
  continueRefused,
  canonicalMessage,
  encodeError: (why: Refusal) => wireError(why, openaiError(why)),
  encodeErrorEvent: (why: Refusal, eventsBefore: number) => {
    const { error } = openaiError(why);
    const { code, message } = error;
    // Clients that validate events need the number; some read the error flat, others nested.
    const event = { type: 'error', sequence_number: eventsBefore, code, message, param: null, error };
    return encodeEvent('error', JSON.stringify(event));
  },
  encodeHeartbeat: () => Buffer.from(': mezz\n\n'),
};
