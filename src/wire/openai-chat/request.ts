/** Requests of Chat Completions to and from the neutral model. */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import {
  members,
  optionalFlag,
  optionalNumber,
  optionalText,
  readDataUrl,
  records,
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
  type ToolChoice,
  type ToolUse,
} from '../neutral.ts';
import { record, text } from '../read.ts';

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
    extras: without(body, ...READ),
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
    extras: without(message, 'role', 'content', 'refusal', 'tool_calls', 'reasoning_content', 'reasoning'),
  };
}

/** Engines that show their reasoning put it beside the content under one of two names. */
export function reasoningOf(message: JsonRecord): NeutralPart[] {
  const thought = text(message, 'reasoning_content') || text(message, 'reasoning');
  return thought === '' ? [] : [{ kind: 'reasoning', text: thought, sealed: undefined, extras: {} }];
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
    return { kind: 'image', source: decodeUrl(text(image, 'url')), extras: without(image, 'url') };
  }
  const file = record(part.file);
  const data = readDataUrl(text(file, 'file_data'));
  const id = text(file, 'file_id');
  if (type !== 'file' || (!data && id === '')) return { kind: 'other', type, item: part };
  return {
    kind: 'file',
    name: optionalText(file.filename),
    source: data ? { kind: 'data', ...data } : { kind: 'file', id },
    extras: without(file, 'file_data', 'file_id', 'filename'),
  };
}

function decodeUrl(url: string): MediaSource {
  const data = readDataUrl(url);
  return data ? { kind: 'data', ...data } : { kind: 'url', url };
}

export function decodeCall(call: JsonRecord): ToolUse {
  const custom = call.type === 'custom';
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
      format: made.format,
      extras: without(made, 'name', 'description', 'format'),
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
    extras: without(made, 'name', 'description', 'parameters', 'strict'),
  };
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
  const stop = request.stop;
  return members({
    ...losses.keep(request.extras, ''),
    model: request.model,
    messages: mergeTurns(request.messages).flatMap((message) => encodeMessage(message, losses)),
    tools: encodeTools(request.tools, losses),
    tool_choice: request.tools.length > 0 ? encodeChoice(request.choice) : undefined,
    parallel_tool_calls: request.tools.length > 0 ? request.parallel : undefined,
    max_completion_tokens: request.maxOutput,
    temperature: request.temperature,
    top_p: request.topP,
    stop: stop.length > 0 ? stop : undefined,
    response_format: encodeFormat(request.format, losses),
    reasoning_effort: request.effort,
    user: request.user,
    prompt_cache_key: request.cacheKey,
    ...(request.stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  });
}

/** Results come first, each a message of its own; what the user adds follows. */
function encodeMessage(message: NeutralMessage, losses: Losses): JsonRecord[] {
  const extras = losses.keep(message.extras, 'messages');
  if (message.role === 'assistant') return [encodeAssistant(message, extras, losses)];
  const results = message.parts.flatMap((part) =>
    part.kind === 'result' ? [encodeResult(part, losses)] : [],
  );
  const rest = message.parts.filter((part) => part.kind !== 'result');
  if (rest.length === 0) return results;
  return [...results, { role: message.role, content: encodeContent(rest, losses), ...extras }];
}

function encodeResult(part: Extract<NeutralPart, { kind: 'result' }>, losses: Losses): JsonRecord {
  if (part.isError) losses.lose('messages.result.is_error');
  losses.keep(part.extras, 'messages.result');
  const content = encodeContent(part.parts, losses);
  return { role: 'tool', tool_call_id: part.id, content };
}

function encodeAssistant(message: NeutralMessage, extras: JsonRecord, losses: Losses): JsonRecord {
  const calls: JsonRecord[] = [];
  const content: NeutralPart[] = [];
  let refusal: string | undefined;
  for (const part of message.parts) {
    if (part.kind === 'call') calls.push(encodeCall(part, losses));
    else if (part.kind === 'refusal') refusal = (refusal ?? '') + part.text;
    else if (part.kind === 'reasoning') losses.lose('messages.reasoning');
    else content.push(part);
  }
  const encoded = encodeContent(content, losses);
  return members({
    role: 'assistant',
    content: encoded.length === 0 ? null : encoded,
    refusal,
    tool_calls: calls.length > 0 ? calls : undefined,
    ...extras,
  });
}

const encodeCall = (call: ToolUse, losses: Losses): JsonRecord => ({
  ...losses.keep(call.extras, 'messages.call'),
  id: call.id,
  type: 'function',
  function: { name: call.name, arguments: functionInput(call) },
});

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
    case 'image':
      if (part.source.kind === 'file') break;
      return [
        {
          type: 'image_url',
          image_url: { url: urlOf(part.source), ...losses.keep(part.extras, `${path}.image`) },
        },
      ];
    case 'file':
      if (part.source.kind === 'url') break;
      losses.keep(part.extras, `${path}.file`);
      return [
        {
          type: 'file',
          file: members({
            filename: part.name,
            file_id: part.source.kind === 'file' ? part.source.id : undefined,
            file_data: part.source.kind === 'data' ? urlOf(part.source) : undefined,
          }),
        },
      ];
    default:
      break;
  }
  losses.lose(`${path}.${part.kind === 'other' ? part.type : part.kind}`);
  return [];
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
