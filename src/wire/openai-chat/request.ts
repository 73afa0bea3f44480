/** Requests of Chat Completions to and from the neutral model. */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import {
  members,
  nested,
  optionalFlag,
  optionalNumber,
  optionalText,
  readDataUrl,
  records,
  unread,
  without,
} from '../members.ts';
import {
  type AnswerFormat,
  CUSTOM_SCHEMA,
  functionInput,
  type Losses,
  type MediaSource,
  mergeTurns,
  type NeutralMessage,
  type NeutralPart,
  type NeutralRequest,
  type NeutralTool,
  type Reasoning,
  type ToolChoice,
  type ToolUse,
} from '../neutral.ts';
import { record, text } from '../read.ts';
import { THOUGHT_MEMBERS } from '../seal.ts';

const READ = [
  'model',
  'stream',
  'stream_options',
  'messages',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'max_completion_tokens',
  'max_tokens',
  'temperature',
  'top_p',
  'stop',
  'response_format',
  'reasoning_effort',
  'user',
  'prompt_cache_key',
];

export function decodeRequest(body: JsonRecord): NeutralRequest {
  const { stop } = body;
  const stops: readonly Json[] = Array.isArray(stop) ? stop : [stop ?? null];
  return {
    from: 'openai-chat',
    model: text(body, 'model'),
    stream: body.stream === true,
    messages: records(body.messages).map(decodeMessage),
    tools: records(body.tools).map(decodeTool),
    choice: decodeChoice(body.tool_choice),
    parallel: optionalFlag(body.parallel_tool_calls),
    maxOutput: optionalNumber(body.max_completion_tokens) ?? optionalNumber(body.max_tokens),
    temperature: optionalNumber(body.temperature),
    topP: optionalNumber(body.top_p),
    stop: stops.filter((value): value is string => typeof value === 'string'),
    format: decodeFormat(record(body.response_format)),
    effort: optionalText(body.reasoning_effort),
    user: optionalText(body.user),
    cacheKey: optionalText(body.prompt_cache_key),
    extras: {
      ...without(body, ...READ),
      ...nested('stream_options', without(record(body.stream_options), 'include_usage')),
      ...unread('tool_choice', body.tool_choice, decodeChoice),
      ...unread('response_format', body.response_format, (format) => decodeFormat(record(format))),
    },
  };
}

function decodeMessage(message: JsonRecord): NeutralMessage {
  const role = text(message, 'role');
  const content = decodeContent(message.content);
  if (role === 'tool' || role === 'function') {
    const result: NeutralPart = {
      kind: 'result',
      id: text(message, 'tool_call_id') || text(message, 'name'),
      custom: false,
      isError: false,
      parts: content,
      extras: {},
    };
    return {
      role: 'user',
      parts: [result],
      extras: without(message, 'role', 'content', 'tool_call_id', 'name'),
    };
  }
  if (role !== 'assistant') {
    const known = role === 'system' || role === 'developer' ? role : 'user';
    return { role: known, parts: content, extras: without(message, 'role', 'content') };
  }
  const refusal = text(message, 'refusal');
  return {
    role,
    parts: [
      ...reasoningOf(message),
      ...content,
      ...(refusal === '' ? [] : [{ kind: 'refusal' as const, text: refusal, extras: {} }]),
      ...records(message.tool_calls).map(decodeCall),
    ],
    extras: without(message, 'role', 'content', 'refusal', 'tool_calls', ...THOUGHT_MEMBERS),
  };
}

/** Engines that show their thoughts want them back under the name they have there: that name is their seal. */
export function reasoningOf(message: JsonRecord): Reasoning[] {
  const member = THOUGHT_MEMBERS.find((name) => text(message, name) !== '');
  if (member === undefined) return [];
  const sealed = { dialect: 'openai-chat', item: { member } } as const;
  return [{ kind: 'reasoning', text: text(message, member), sealed, extras: {} }];
}

export function decodeContent(content: Json | undefined): NeutralPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ kind: 'text', text: content, extras: {} }];
  return records(content).map(decodePart);
}

function decodePart(part: JsonRecord): NeutralPart {
  const type = text(part, 'type');
  if (type === 'text')
    return { kind: 'text', text: text(part, 'text'), extras: without(part, 'type', 'text') };
  if (type === 'refusal')
    return { kind: 'refusal', text: text(part, 'refusal'), extras: without(part, 'type', 'refusal') };
  if (type === 'image_url') {
    const image = record(part.image_url);
    return {
      kind: 'image',
      source: decodeUrl(text(image, 'url')),
      detail: optionalText(image.detail),
      extras: { ...without(part, 'type', 'image_url'), ...without(image, 'url', 'detail') },
    };
  }
  const file = record(part.file);
  const data = readDataUrl(text(file, 'file_data'));
  const id = text(file, 'file_id');
  if (type !== 'file' || (!data && id === '')) return { kind: 'other', type, item: part };
  return {
    kind: 'file',
    name: optionalText(file.filename),
    source: data ? { kind: 'data', ...data } : { kind: 'file', id, at: 'openai' },
    extras: { ...without(part, 'type', 'file'), ...without(file, 'file_data', 'file_id', 'filename') },
  };
}

function decodeUrl(url: string): MediaSource {
  const data = readDataUrl(url);
  return data ? { kind: 'data', ...data } : { kind: 'url', url };
}

export function decodeCall(call: JsonRecord): ToolUse {
  const read = readCall(call);
  // Some engines say nothing where there are no arguments.
  return read.custom || read.input !== '' ? read : { ...read, input: '{}' };
}

/** A call, or a piece of one in a stream. */
export function readCall(call: JsonRecord): ToolUse {
  // In a stream only the first piece of a call says its type.
  const custom = call.type === 'custom' || isRecord(call.custom);
  const made = record(custom ? call.custom : call.function);
  return {
    kind: 'call',
    id: text(call, 'id'),
    name: text(made, 'name'),
    input: text(made, custom ? 'input' : 'arguments'),
    custom,
    extras: without(call, 'type', 'id', 'index', 'function', 'custom'),
  };
}

function decodeTool(tool: JsonRecord): NeutralTool {
  const type = text(tool, 'type');
  if (type === 'custom') {
    const made = record(tool.custom);
    return {
      kind: 'custom',
      name: text(made, 'name'),
      description: optionalText(made.description),
      format: decodeGrammar(made.format),
      extras: { ...without(tool, 'type', 'custom'), ...without(made, 'name', 'description', 'format') },
    };
  }
  if (type !== 'function') return { kind: 'other', type, item: tool };
  const made = record(tool.function);
  return {
    kind: 'function',
    name: text(made, 'name'),
    description: optionalText(made.description),
    schema: made.parameters ?? { type: 'object', properties: {} },
    strict: optionalFlag(made.strict),
    extras: {
      ...without(tool, 'type', 'function'),
      ...without(made, 'name', 'description', 'parameters', 'strict'),
    },
  };
}

/** Chat keeps a grammar one level deeper than Responses. */
function decodeGrammar(format: Json | undefined): Json | undefined {
  return isRecord(format) && isRecord(format.grammar)
    ? { ...without(format, 'grammar'), ...format.grammar }
    : format;
}

function decodeChoice(choice: Json | undefined): ToolChoice | undefined {
  if (choice === 'auto' || choice === 'none' || choice === 'required') return choice;
  if (!isRecord(choice)) return undefined;
  if (choice.type === 'custom') return { name: text(record(choice.custom), 'name'), custom: true };
  return choice.type === 'function'
    ? { name: text(record(choice.function), 'name'), custom: false }
    : undefined;
}

function decodeFormat(format: JsonRecord): AnswerFormat | undefined {
  if (format.type === 'json_object') return { kind: 'object' };
  if (format.type !== 'json_schema') return undefined;
  const made = record(format.json_schema);
  return {
    kind: 'schema',
    name: optionalText(made.name),
    schema: made.schema ?? {},
    strict: optionalFlag(made.strict),
    extras: without(made, 'name', 'schema', 'strict'),
  };
}

export function encodeRequest(request: NeutralRequest, losses: Losses): JsonRecord {
  const { stop } = request;
  if (stop.length > MOST_STOPS) losses.lose(`stop (the first ${MOST_STOPS} are sent)`);
  const tools = encodeTools(request.tools, losses);
  return members({
    ...losses.keep(request.extras, ''),
    model: request.model,
    messages: mergeTurns(request.messages).flatMap((message) => encodeMessage(message, losses)),
    tools,
    tool_choice: tools && encodeChoice(request.choice),
    parallel_tool_calls: tools && request.parallel,
    max_completion_tokens: request.maxOutput,
    temperature: request.temperature,
    top_p: request.topP,
    stop: stop.length > 0 ? stop.slice(0, MOST_STOPS) : undefined,
    response_format: encodeFormat(request.format, losses),
    reasoning_effort: request.effort,
    user: request.user,
    prompt_cache_key: request.cacheKey,
    ...(request.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  });
}

/** What the API takes. */
const MOST_STOPS = 4;

/** Results come first, each a message of its own; what the user adds follows. A message of nothing would be refused. */
function encodeMessage(message: NeutralMessage, losses: Losses): JsonRecord[] {
  const extras = losses.keep(message.extras, 'messages');
  if (message.role === 'assistant') return encodeAssistant(message, extras, losses);
  const results = message.parts.filter((part) => part.kind === 'result');
  const shown = results.flatMap((result) => result.parts.filter((part) => isShown(part)));
  if (shown.length > 0) losses.lose('messages.result.image (sent as user)');
  const told = results.map((result) => encodeResult(result, losses));
  const content = encodeContent(
    [...shown, ...message.parts.filter((part) => part.kind !== 'result')],
    losses,
  );
  return content.length === 0 ? told : [...told, { role: message.role, content, ...extras }];
}

/** A tool's message takes text alone: what it shows is shown by the user behind it. */
const isShown = ({ kind }: NeutralPart): boolean => kind === 'image' || kind === 'file';

function encodeResult(part: Extract<NeutralPart, { kind: 'result' }>, losses: Losses): JsonRecord {
  if (part.isError) losses.lose('messages.result.is_error');
  losses.keep(part.extras, 'messages.result');
  const told = part.parts.filter((inner) => !isShown(inner));
  return { role: 'tool', tool_call_id: part.id, content: encodeContent(told, losses) };
}

function encodeAssistant(message: NeutralMessage, extras: JsonRecord, losses: Losses): JsonRecord[] {
  const calls: JsonRecord[] = [];
  const content: NeutralPart[] = [];
  const thoughts: Record<string, string> = {};
  let refusal: string | undefined;
  for (const part of message.parts) {
    if (part.kind === 'call') calls.push(encodeCall(part, losses));
    else if (part.kind === 'refusal') refusal = (refusal ?? '') + part.text;
    else if (part.kind !== 'reasoning') content.push(part);
    else if (part.sealed?.dialect !== 'openai-chat') losses.lose('messages.reasoning');
    else {
      const member = text(part.sealed.item, 'member');
      thoughts[member] = (thoughts[member] ?? '') + part.text;
    }
  }
  const encoded = encodeContent(content, losses);
  if (encoded.length === 0 && calls.length === 0 && refusal === undefined) return [];
  return [
    members({
      role: 'assistant',
      content: encoded.length === 0 ? null : encoded,
      refusal,
      tool_calls: calls.length > 0 ? calls : undefined,
      ...thoughts,
      ...extras,
    }),
  ];
}

/** Every tool is a function to a backend; a client gets a custom tool's call as such. */
const encodeCall = (call: ToolUse, losses: Losses): JsonRecord => ({
  ...losses.keep(call.extras, 'messages.call'),
  ...callOf({ ...call, custom: false, input: functionInput(call) }),
});

export const callOf = ({
  id,
  name,
  input,
  custom,
}: Pick<ToolUse, 'id' | 'name' | 'input' | 'custom'>): JsonRecord =>
  custom
    ? { id, type: 'custom', custom: { name, input } }
    : { id, type: 'function', function: { name, arguments: input } };

/** Plain text as a string: many engines take nothing else from a tool or an assistant. */
function encodeContent(parts: readonly NeutralPart[], losses: Losses): string | JsonRecord[] {
  const encoded = parts.flatMap((part) => encodePart(part, losses));
  const plain = encoded.every((part) => part.type === 'text' && Object.keys(part).length === 2);
  return plain ? encoded.map((part) => text(part, 'text')).join('\n') : encoded;
}

function encodePart(part: NeutralPart, losses: Losses): JsonRecord[] {
  const path = 'messages.content';
  switch (part.kind) {
    case 'text':
    case 'refusal':
      return [{ type: 'text', text: part.text, ...losses.keep(part.extras, `${path}.text`) }];
    case 'image': {
      if (part.source.kind === 'file') break;
      const extras = losses.keep(part.extras, `${path}.image`);
      const image = members({ url: urlOf(part.source), detail: part.detail, ...extras });
      return [{ type: 'image_url', image_url: image }];
    }
    case 'file':
      return encodeFile(part, losses, path);
    default:
      break;
  }
  losses.lose(`${path}.${part.kind === 'other' ? part.type : part.kind}`);
  return [];
}

function encodeFile(
  { name, source, extras }: Extract<NeutralPart, { kind: 'file' }>,
  losses: Losses,
  path: string,
): JsonRecord[] {
  const kept = losses.keep(extras, `${path}.file`);
  if (source.kind === 'text') {
    losses.lose(`${path}.file (sent as text)`);
    return [{ type: 'text', text: source.text }];
  }
  const isCarried = source.kind === 'data' || (source.kind === 'file' && source.at === 'openai');
  if (!isCarried) {
    losses.lose(`${path}.file`);
    return [];
  }
  const of = source.kind === 'data' ? { file_data: urlOf(source) } : { file_id: source.id };
  return [{ type: 'file', file: members({ filename: name, ...of, ...kept }) }];
}

const urlOf = (source: Exclude<MediaSource, { kind: 'file' }>): string =>
  source.kind === 'url' ? source.url : `data:${source.mediaType};base64,${source.base64}`;

function encodeTools(tools: readonly NeutralTool[], losses: Losses): Json | undefined {
  const encoded = tools.flatMap((tool) => {
    if (tool.kind === 'other') {
      losses.lose(`tools.${tool.type}`);
      return [];
    }
    if (tool.kind === 'custom' && tool.format !== undefined) losses.lose('tools.format');
    return [
      {
        type: 'function',
        function: members({
          name: tool.name,
          description: tool.description,
          parameters: tool.kind === 'custom' ? CUSTOM_SCHEMA : tool.schema,
          strict: tool.kind === 'function' ? tool.strict : undefined,
          ...losses.keep(tool.extras, 'tools'),
        }),
      },
    ];
  });
  return encoded.length > 0 ? encoded : undefined;
}

function encodeChoice(choice: ToolChoice | undefined): Json | undefined {
  return typeof choice === 'object' ? { type: 'function', function: { name: choice.name } } : choice;
}

function encodeFormat(format: AnswerFormat | undefined, losses: Losses): JsonRecord | undefined {
  if (format === undefined) return undefined;
  if (format.kind === 'object') return { type: 'json_object' };
  const made = members({
    name: format.name ?? 'answer',
    schema: format.schema,
    strict: format.strict,
    ...losses.keep(format.extras, 'format'),
  });
  return { type: 'json_schema', json_schema: made };
}
