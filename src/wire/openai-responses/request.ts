/** Requests of the Responses API to and from the neutral model. */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
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
import type {
  AnswerFormat,
  Losses,
  NeutralMessage,
  NeutralRequest,
  NeutralTool,
  ToolChoice,
} from '../neutral.ts';
import { record, text } from '../read.ts';
import { decodeItem, encodeMessage } from './items.ts';

const READ = [
  'model',
  'stream',
  'instructions',
  'input',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'max_output_tokens',
  'temperature',
  'top_p',
  'text',
  'reasoning',
  'user',
  'prompt_cache_key',
];

export function decodeRequest(body: JsonRecord): NeutralRequest {
  const items = records(body.input);
  // Codex brings its tools in an item of the input.
  const added = items.filter((item) => item.type === 'additional_tools');
  return {
    from: 'openai-responses',
    model: text(body, 'model'),
    stream: body.stream === true,
    messages: [...decodeInstructions(body.instructions), ...decodeInput(body.input)],
    tools: [...records(body.tools), ...added.flatMap((item) => records(item.tools))].flatMap((tool) =>
      decodeTool(tool),
    ),
    choice: decodeChoice(body.tool_choice),
    parallel: optionalFlag(body.parallel_tool_calls),
    maxOutput: optionalNumber(body.max_output_tokens),
    temperature: optionalNumber(body.temperature),
    topP: optionalNumber(body.top_p),
    stop: [],
    format: decodeFormat(record(record(body.text).format)),
    effort: optionalText(record(body.reasoning).effort),
    user: optionalText(body.user),
    cacheKey: optionalText(body.prompt_cache_key),
    extras: {
      ...without(body, ...READ),
      ...nested('text', {
        ...without(record(body.text), 'format'),
        ...unread('format', record(body.text).format, (format) => decodeFormat(record(format))),
      }),
      ...nested('reasoning', without(record(body.reasoning), 'effort')),
      ...unread('tool_choice', body.tool_choice, decodeChoice),
    },
  };
}

function decodeInstructions(instructions: Json | undefined): NeutralMessage[] {
  if (typeof instructions !== 'string' || instructions === '') return [];
  return [{ role: 'system', parts: [{ kind: 'text', text: instructions, extras: {} }], extras: {} }];
}

function decodeInput(input: Json | undefined): NeutralMessage[] {
  if (typeof input === 'string')
    return [{ role: 'user', parts: [{ kind: 'text', text: input, extras: {} }], extras: {} }];
  return records(input)
    .filter((item) => item.type !== 'additional_tools')
    .map(decodeItem);
}

/** A namespace groups tools: they are taken out of it, and keep its name. */
function decodeTool(tool: JsonRecord, namespace?: string): NeutralTool[] {
  const type = text(tool, 'type');
  if (type === 'namespace')
    return records(tool.tools).flatMap((inner) => decodeTool(inner, text(tool, 'name')));
  if (type === 'custom')
    return [
      {
        kind: 'custom',
        name: text(tool, 'name'),
        namespace,
        description: optionalText(tool.description),
        format: tool.format,
        extras: without(tool, 'type', 'name', 'description', 'format'),
      },
    ];
  if (type !== 'function') return [{ kind: 'other', type, item: tool }];
  return [
    {
      kind: 'function',
      name: text(tool, 'name'),
      namespace,
      description: optionalText(tool.description),
      schema: isRecord(tool.parameters) ? tool.parameters : { type: 'object', properties: {} },
      // Not strict is how the other dialects say nothing.
      strict: tool.strict === true ? true : undefined,
      extras: without(tool, 'type', 'name', 'description', 'parameters', 'strict'),
    },
  ];
}

function decodeChoice(choice: Json | undefined): ToolChoice | undefined {
  if (choice === 'auto' || choice === 'none' || choice === 'required') return choice;
  if (!isRecord(choice) || (choice.type !== 'function' && choice.type !== 'custom')) return undefined;
  return { name: text(choice, 'name'), custom: choice.type === 'custom' };
}

function decodeFormat(format: JsonRecord): AnswerFormat | undefined {
  if (format.type === 'json_object') return { kind: 'object' };
  if (format.type !== 'json_schema') return undefined;
  return {
    kind: 'schema',
    name: optionalText(format.name),
    schema: format.schema ?? {},
    strict: optionalFlag(format.strict),
    extras: without(format, 'type', 'name', 'schema', 'strict'),
  };
}

/** Ids of calls to custom tools: their results are items of another type. */
function customCalls(request: NeutralRequest): ReadonlySet<string> {
  return new Set(
    request.messages.flatMap((message) =>
      message.parts.flatMap((part) => (part.kind === 'call' && part.custom ? [part.id] : [])),
    ),
  );
}

export function encodeRequest(request: NeutralRequest, losses: Losses): JsonRecord {
  if (request.stop.length > 0) losses.lose('stop sequences');
  const extras = losses.keep(request.extras, '');
  const custom = customCalls(request);
  const [first, ...rest] = request.messages;
  const instructions = first?.role === 'system' ? instructionsOf(first, losses) : undefined;
  const messages = instructions === undefined ? request.messages : rest;
  const tools = encodeTools(request.tools, losses);
  return members({
    ...extras,
    model: request.model,
    instructions,
    input: messages.flatMap((message) => encodeMessage(message, custom, losses)),
    tools,
    tool_choice: tools && encodeChoice(request.choice),
    parallel_tool_calls: tools && request.parallel,
    max_output_tokens: request.maxOutput,
    temperature: request.temperature,
    top_p: request.topP,
    text: encodeText(request, record(extras.text), losses),
    reasoning: encodeReasoning(request, record(extras.reasoning)),
    user: request.user,
    prompt_cache_key: request.cacheKey,
    // A client of another dialect sends its whole history every time: nothing needs to stay upstream.
    ...(request.from === 'openai-responses'
      ? {}
      : { store: false, include: ['reasoning.encrypted_content'] }),
    stream: request.stream ? true : undefined,
  });
}

function instructionsOf(message: NeutralMessage, losses: Losses): string {
  const texts = message.parts.flatMap((part) => {
    if (part.kind === 'text') {
      losses.keep(part.extras, 'instructions');
      return [part.text];
    }
    losses.lose(`instructions.${part.kind}`);
    return [];
  });
  return texts.join('\n\n');
}

function encodeTools(tools: readonly NeutralTool[], losses: Losses): Json | undefined {
  const encoded = tools.flatMap((tool) => {
    if (tool.kind === 'other') {
      losses.lose(`tools.${tool.type}`);
      return [];
    }
    const common = { name: tool.name, description: tool.description, ...losses.keep(tool.extras, 'tools') };
    if (tool.kind === 'custom') return [members({ type: 'custom', ...common, format: tool.format })];
    // Absent means strict here, and not strict in the other dialects.
    const strict = tool.strict ?? false;
    return [members({ type: 'function', ...common, parameters: tool.schema, strict })];
  });
  return encoded.length > 0 ? encoded : undefined;
}

function encodeChoice(choice: ToolChoice | undefined): Json | undefined {
  return typeof choice === 'object'
    ? { type: choice.custom ? 'custom' : 'function', name: choice.name }
    : choice;
}

function encodeText({ format }: NeutralRequest, extras: JsonRecord, losses: Losses): JsonRecord | undefined {
  if (format === undefined) return Object.keys(extras).length > 0 ? extras : undefined;
  if (format.kind === 'object') return { ...extras, format: { type: 'json_object' } };
  const made = members({
    type: 'json_schema',
    name: format.name ?? 'answer',
    schema: format.schema,
    strict: format.strict,
    ...losses.keep(format.extras, 'format'),
  });
  return { ...extras, format: made };
}

function encodeReasoning({ effort }: NeutralRequest, extras: JsonRecord): JsonRecord | undefined {
  const reasoning = members({ ...extras, effort });
  return Object.keys(reasoning).length > 0 ? reasoning : undefined;
}
