/** What a request's body is made of: system prompt, tools, and the messages by what stands in them. */
import { isRecord, type Json, type JsonRecord, tableOf } from '../base/json.ts';
import type { Piece, PieceName } from '../base/sheets.ts';

/**
 * The pieces of a request in any of the dialects; those of the messages in their order. Sizes are those of the JSON
 * without blanks; what is left of `totalBytes` is the piece `rest`.
 */
export function takeStock(body: JsonRecord, totalBytes: number): Piece[] {
  const messages = messagesOf(body);
  const calls = callNames(messages);
  const pieces = [...headOf(body), ...messages.flatMap((message, at) => piecesOf(message, at, calls))];
  const known = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  return [...pieces, { what: 'rest', name: null, message: null, bytes: Math.max(0, totalBytes - known) }];
}

const sizeOf = (value: Json): number => Buffer.byteLength(JSON.stringify(value));

function headOf(body: JsonRecord): Piece[] {
  const system = [body.system, body.instructions].filter((one) => one !== undefined && one !== null);
  return [
    ...system.map((one): Piece => ({ what: 'system', name: null, message: null, bytes: sizeOf(one) })),
    ...toolsOf(body.tools, null),
  ];
}

function toolsOf(tools: Json | undefined, message: number | null): Piece[] {
  if (!Array.isArray(tools)) return [];
  return tools.map((tool) => ({ what: 'tools', name: nameOf(tool), message, bytes: sizeOf(tool) }));
}

/** A tool's name; Chat keeps it one level deeper, hosted tools have a type alone. */
function nameOf(tool: Json): string | null {
  if (!isRecord(tool)) return null;
  const inner = isRecord(tool.function) ? tool.function : tool;
  const name = inner.name ?? tool.type;
  return typeof name === 'string' ? name : null;
}

function messagesOf(body: JsonRecord): readonly Json[] {
  const messages = body.messages ?? body.input;
  if (Array.isArray(messages)) return messages;
  return typeof messages === 'string' ? [messages] : [];
}

/** A result names its call by id alone: which tool it is of is told by the call before it. */
type CallNames = ReadonlyMap<Json | undefined, string>;

function callNames(messages: readonly Json[]): CallNames {
  const blocks = messages
    .filter(isRecord)
    .flatMap((message) => [
      message,
      ...[...listOf(message.content), ...listOf(message.tool_calls)].filter(isRecord),
    ]);
  return new Map(
    blocks.flatMap((block) => {
      const [id, name] = [block.call_id ?? block.id, ownName(block)];
      return id === undefined || name === null ? [] : [[id, name] as const];
    }),
  );
}

function piecesOf(message: Json, at: number, calls: CallNames): Piece[] {
  if (!isRecord(message)) return [{ what: 'user', name: null, message: at, bytes: sizeOf(message) }];
  if (message.type === 'additional_tools') return toolsOf(message.tools, at);
  const what = kindOf(message);
  const blocks = [...listOf(message.content), ...listOf(message.tool_calls)].map((block): Piece => {
    const isCall = listOf(message.tool_calls).includes(block);
    return {
      what: isCall ? 'tool calls' : blockKind(block, what),
      name: isRecord(block) ? nameOfCall(block, calls) : null,
      message: at,
      bytes: sizeOf(block),
    };
  });
  const inner = blocks.reduce((sum, piece) => sum + piece.bytes, 0);
  const around: Piece = {
    what,
    name: nameOfCall(message, calls),
    message: at,
    bytes: sizeOf(message) - inner,
  };
  // Role and brackets alone are no message of that role.
  const first = blocks[0];
  if (!first) return [around];
  return [{ ...first, bytes: first.bytes + around.bytes }, ...blocks.slice(1)];
}

const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);

/** The tool that a call names, or that a result is of. */
const nameOfCall = (block: JsonRecord, calls: CallNames): string | null =>
  ownName(block) ?? calls.get(block.tool_use_id ?? block.tool_call_id ?? block.call_id) ?? null;

function ownName(block: JsonRecord): string | null {
  const inner = isRecord(block.function) ? block.function : block;
  return typeof inner.name === 'string' && block.type !== 'message' ? inner.name : null;
}

const ROLES = tableOf<PieceName>({
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'tool results',
  function: 'tool results',
});

/** A message by its role, or an item of Responses by its type. */
function kindOf(message: JsonRecord): PieceName {
  const role = typeof message.role === 'string' ? ROLES[message.role] : undefined;
  return role ?? blockKind(message, 'assistant');
}

/** A content block or item by its type; one without a telling type is what its message is. */
function blockKind(block: Json, otherwise: PieceName): PieceName {
  const type = isRecord(block) && typeof block.type === 'string' ? block.type : '';
  if (/(?:_result|_output)$/.test(type)) return 'tool results';
  if (/(?:tool_use|_call)$/.test(type)) return 'tool calls';
  if (/^(?:thinking|redacted_thinking|reasoning)$/.test(type)) return 'thinking';
  if (/^(?:image|image_url|input_image|document|file|input_file|input_audio)$/.test(type)) return 'media';
  return otherwise;
}
