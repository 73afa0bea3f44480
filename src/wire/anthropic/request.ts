/** Requests of the Messages API to and from the neutral model. */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import { LIMITS } from '../limits.ts';
import {
  members,
  nested,
  optionalFlag,
  optionalNumber,
  optionalText,
  records,
  unread,
  without,
} from '../members.ts';
import {
  type AnswerFormat,
  CUSTOM_SCHEMA,
  type Losses,
  mergeTurns,
  type NeutralMessage,
  type NeutralRequest,
  type NeutralTool,
  type ToolChoice,
} from '../neutral.ts';
import { record, text } from '../read.ts';
import { decodeContent, encodeParts } from './parts.ts';

const READ = [
  'model',
  'stream',
  'system',
  'messages',
  'tools',
  'tool_choice',
  'max_tokens',
  'temperature',
  'top_p',
  'stop_sequences',
  'output_config',
];

export function decodeRequest(body: JsonRecord): NeutralRequest {
  const system: NeutralMessage[] =
    body.system === undefined ? [] : [{ role: 'system', parts: decodeContent(body.system), extras: {} }];
  const output = record(body.output_config);
  return {
    from: 'anthropic',
    model: text(body, 'model'),
    stream: body.stream === true,
    messages: [...system, ...records(body.messages).map(decodeMessage)],
    tools: records(body.tools).map(decodeTool),
    choice: decodeChoice(record(body.tool_choice)),
    parallel: record(body.tool_choice).disable_parallel_tool_use === true ? false : undefined,
    maxOutput: optionalNumber(body.max_tokens),
    temperature: optionalNumber(body.temperature),
    topP: optionalNumber(body.top_p),
    stop: (Array.isArray(body.stop_sequences) ? body.stop_sequences : []).filter(
      (stop): stop is string => typeof stop === 'string',
    ),
    format: decodeFormat(record(output.format)),
    effort: optionalText(output.effort) ?? effortOf(record(body.thinking)),
    user: undefined,
    cacheKey: undefined,
    // How thinking was asked for stays among them: effort says only roughly as much.
    extras: {
      ...without(body, ...READ),
      ...nested('output_config', {
        ...without(output, 'effort', 'format'),
        ...unread('format', output.format, (format) => decodeFormat(record(format))),
      }),
      ...unread('tool_choice', body.tool_choice, (choice) => decodeChoice(record(choice))),
    },
  };
}

function decodeMessage(message: JsonRecord): NeutralMessage {
  const role = message.role === 'assistant' ? 'assistant' : message.role === 'system' ? 'system' : 'user';
  return { role, parts: decodeContent(message.content), extras: without(message, 'role', 'content') };
}

function decodeTool(tool: JsonRecord): NeutralTool {
  const type = text(tool, 'type');
  if (type !== '' && type !== 'custom') return { kind: 'other', type, item: tool };
  return {
    kind: 'function',
    name: text(tool, 'name'),
    description: optionalText(tool.description),
    schema: tool.input_schema ?? { type: 'object' },
    strict: optionalFlag(tool.strict),
    extras: without(tool, 'type', 'name', 'description', 'input_schema', 'strict'),
  };
}

function decodeChoice(choice: JsonRecord): ToolChoice | undefined {
  switch (choice.type) {
    case 'auto':
    case 'none':
      return choice.type;
    case 'any':
      return 'required';
    case 'tool':
      return { name: text(choice, 'name'), custom: false };
    default:
      return undefined;
  }
}

function decodeFormat(format: JsonRecord): AnswerFormat | undefined {
  if (format.type !== 'json_schema') return undefined;
  return {
    kind: 'schema',
    name: undefined,
    schema: format.schema ?? {},
    strict: undefined,
    extras: without(format, 'type', 'schema'),
  };
}

/**
 * A budget of thinking tokens in the words of effort: the vendors' own rough equivalents. Nothing is said for thinking
 * that is off: models that cannot think would refuse to be told.
 */
function effortOf(thinking: JsonRecord): string | undefined {
  const budget = optionalNumber(thinking.budget_tokens);
  if (budget === undefined) return undefined;
  return budget < 4096 ? 'low' : budget < 16_384 ? 'medium' : 'high';
}

export function encodeRequest(request: NeutralRequest, losses: Losses): JsonRecord {
  const isSystem = (message: NeutralMessage) => message.role === 'system' || message.role === 'developer';
  const first = request.messages.findIndex((message) => !isSystem(message));
  const leading = first === -1 ? request.messages : request.messages.slice(0, first);
  const rest = first === -1 ? [] : request.messages.slice(first);
  const system = leading.flatMap((message) => {
    losses.keep(message.extras, 'messages');
    return encodeParts(message.parts, losses, 'system');
  });
  if (request.maxOutput === undefined) losses.lose('max_tokens (a default is set)');
  if (request.user !== undefined) losses.lose('user');
  if (request.cacheKey !== undefined) losses.lose('prompt_cache_key');
  if (request.temperature !== undefined && request.temperature > 1) losses.lose('temperature (1 is sent)');
  const extras = losses.keep(request.extras, '');
  const tools = encodeTools(request.tools, losses);
  return members({
    ...extras,
    model: request.model,
    stream: request.stream ? true : undefined,
    system: system.length > 0 ? system : undefined,
    messages: mergeTurns(rest.map((message) => asTurn(message, losses))).flatMap((message) => {
      const content = encodeParts(message.parts, losses, 'messages');
      const kept = losses.keep(message.extras, 'messages');
      // The API refuses a turn of nothing.
      return content.length === 0 ? [] : [{ role: message.role, content, ...kept }];
    }),
    tools,
    tool_choice: tools && encodeChoice(request),
    max_tokens: request.maxOutput ?? LIMITS.defaultMaxTokens.value,
    // A range of 0 to 2 elsewhere, 0 to 1 here.
    temperature: request.temperature === undefined ? undefined : Math.min(1, request.temperature),
    top_p: request.topP,
    stop_sequences: request.stop.length > 0 ? request.stop : undefined,
    output_config: encodeOutput(request, record(extras.output_config), losses),
  });
}

/** Messages has no system messages between turns for every model: what stands there goes in as the user's words. */
function asTurn(message: NeutralMessage, losses: Losses): NeutralMessage {
  if (message.role === 'user' || message.role === 'assistant') return message;
  losses.lose(`messages.role ${message.role} (sent as user)`);
  return { ...message, role: 'user' };
}

function encodeTools(tools: readonly NeutralTool[], losses: Losses): Json | undefined {
  const encoded = tools.flatMap((tool) => {
    if (tool.kind === 'other') {
      losses.lose(`tools.${tool.type}`);
      return [];
    }
    if (tool.kind === 'custom' && tool.format !== undefined) losses.lose('tools.format');
    return [
      members({
        name: tool.name,
        description: tool.description,
        input_schema: tool.kind === 'custom' ? CUSTOM_SCHEMA : objectSchema(tool.schema),
        strict: tool.kind === 'function' && tool.strict === true ? true : undefined,
        ...losses.keep(tool.extras, 'tools'),
      }),
    ];
  });
  return encoded.length > 0 ? encoded : undefined;
}

/** The API wants the type told that the others take for granted. */
const objectSchema = (schema: Json): Json =>
  isRecord(schema) && schema.type === undefined ? { type: 'object', ...schema } : schema;

function encodeChoice({ choice, parallel }: NeutralRequest): JsonRecord | undefined {
  if (choice === undefined && parallel !== false) return undefined;
  const single = parallel === false && choice !== 'none' ? { disable_parallel_tool_use: true } : {};
  if (choice === undefined || choice === 'auto') return { type: 'auto', ...single };
  if (choice === 'none') return { type: 'none' };
  return choice === 'required' ? { type: 'any', ...single } : { type: 'tool', name: choice.name, ...single };
}

function encodeOutput(
  { format, effort }: NeutralRequest,
  extras: JsonRecord,
  losses: Losses,
): JsonRecord | undefined {
  if (format?.kind === 'object') losses.lose('response format json_object');
  if (effort === 'none' || effort === 'minimal') losses.lose(`reasoning effort ${effort}`);
  const known = effort !== undefined && effort !== 'none' && effort !== 'minimal' ? effort : undefined;
  const schema =
    format?.kind === 'schema'
      ? { type: 'json_schema', schema: format.schema, ...losses.keep(format.extras, 'format') }
      : undefined;
  const output = members({ ...extras, effort: known, format: schema });
  return Object.keys(output).length > 0 ? output : undefined;
}
