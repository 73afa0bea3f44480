/** Content blocks of Messages to and from neutral parts. */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import { parseExact } from '../exact.ts';
import { members, optionalText, without } from '../members.ts';
import {
  functionInput,
  type Losses,
  type MediaSource,
  type NeutralPart,
  type Sealed,
  type ToolUse,
} from '../neutral.ts';
import { record, text } from '../read.ts';
import { isSeal, openSeal } from '../seal.ts';

export function decodeContent(content: Json | undefined): NeutralPart[] {
  if (typeof content === 'string') return [{ kind: 'text', text: content, extras: {} }];
  return Array.isArray(content) ? content.filter(isRecord).map(decodeBlock) : [];
}

function decodeBlock(block: JsonRecord): NeutralPart {
  switch (block.type) {
    case 'text':
      return { kind: 'text', text: text(block, 'text'), extras: without(block, 'type', 'text') };
    case 'image':
      return {
        kind: 'image',
        source: decodeSource(block.source),
        extras: without(block, 'type', 'source'),
      };
    case 'document':
      return decodeDocument(block);
    case 'thinking':
      return decodeThinking(block);
    case 'redacted_thinking':
      return { kind: 'reasoning', text: '', sealed: { dialect: 'anthropic', item: block }, extras: {} };
    case 'tool_use':
      return {
        kind: 'call',
        id: text(block, 'id'),
        name: text(block, 'name'),
        input: JSON.stringify(block.input ?? {}),
        custom: false,
        extras: without(block, 'type', 'id', 'name', 'input'),
      };
    case 'tool_result':
      return {
        kind: 'result',
        id: text(block, 'tool_use_id'),
        custom: false,
        isError: block.is_error === true,
        parts: decodeContent(block.content),
        extras: without(block, 'type', 'tool_use_id', 'is_error', 'content'),
      };
    default:
      return { kind: 'other', type: text(block, 'type'), item: block };
  }
}

function decodeDocument(block: JsonRecord): NeutralPart {
  const source = record(block.source);
  const isText = source.type === 'text';
  if (!isText && source.type !== 'base64' && source.type !== 'url' && source.type !== 'file')
    return { kind: 'other', type: 'document', item: block };
  return {
    kind: 'file',
    name: optionalText(block.title),
    source: isText ? { kind: 'text', text: text(source, 'data') } : decodeSource(source),
    extras: without(block, 'type', 'source', 'title'),
  };
}

function decodeSource(value: Json | undefined): MediaSource {
  const source = record(value);
  if (source.type === 'url') return { kind: 'url', url: text(source, 'url') };
  if (source.type === 'file') return { kind: 'file', id: text(source, 'file_id'), at: 'anthropic' };
  return { kind: 'data', mediaType: text(source, 'media_type'), base64: text(source, 'data') };
}

function decodeThinking(block: JsonRecord): NeutralPart {
  const signature = text(block, 'signature');
  const extras = without(block, 'type', 'thinking', 'signature');
  const own: Sealed | undefined =
    signature === '' ? undefined : { dialect: 'anthropic', item: { type: 'thinking', ...block } };
  const sealed = isSeal(signature) ? openSeal(signature) : own;
  return { kind: 'reasoning', text: text(block, 'thinking'), sealed, extras };
}

/** Blocks of parts; parts Messages cannot say are named as lost. */
export function encodeParts(parts: readonly NeutralPart[], losses: Losses, path: string): JsonRecord[] {
  return parts.flatMap((part) => encodeBlock(part, losses, path));
}

function encodeBlock(part: NeutralPart, losses: Losses, path: string): JsonRecord[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      if (part.kind === 'refusal') losses.lose(`${path}.refusal (sent as text)`);
      // The API refuses text of nothing but space.
      return part.text.trim() === ''
        ? []
        : [{ type: 'text', text: part.text, ...losses.keep(part.extras, `${path}.text`) }];
    case 'image':
      if (isElsewhere(part.source)) break;
      if (part.detail !== undefined) losses.lose(`${path}.image.detail`);
      return [
        {
          type: 'image',
          source: encodeSource(part.source),
          ...losses.keep(part.extras, `${path}.image`),
        },
      ];
    case 'file':
      if (isElsewhere(part.source)) break;
      return [
        members({
          type: 'document',
          source:
            part.source.kind === 'text'
              ? { type: 'text', media_type: 'text/plain', data: part.source.text }
              : encodeSource(part.source),
          title: part.name,
          ...losses.keep(part.extras, `${path}.file`),
        }),
      ];
    case 'reasoning':
      return encodeReasoning(part, losses, path);
    case 'call':
      return [
        {
          type: 'tool_use',
          id: part.id,
          name: part.name,
          input: argumentsOf(part, losses, path),
          ...losses.keep(part.extras, `${path}.call`),
        },
      ];
    case 'result':
      return [
        members({
          type: 'tool_result',
          tool_use_id: part.id,
          content: encodeParts(part.parts, losses, `${path}.result`),
          is_error: part.isError ? true : undefined,
          ...losses.keep(part.extras, `${path}.result`),
        }),
      ];
    case 'other':
      break;
  }
  losses.lose(`${path}.${part.kind === 'other' ? part.type : part.kind}`);
  return [];
}

const isElsewhere = (source: { readonly kind: string; readonly at?: string }): boolean =>
  source.kind === 'file' && source.at !== 'anthropic';

/** Here arguments are an object: what a model wrote that is none cannot be told. */
function argumentsOf(call: ToolUse, losses: Losses, path: string): JsonRecord {
  const value = parseExact(functionInput(call));
  if (!isRecord(value)) losses.lose(`${path}.call.input (no JSON object)`);
  return record(value);
}

/** Only what Anthropic itself has signed may go back to it. */
function encodeReasoning(
  part: Extract<NeutralPart, { kind: 'reasoning' }>,
  losses: Losses,
  path: string,
): JsonRecord[] {
  if (part.sealed?.dialect === 'anthropic') return [part.sealed.item];
  losses.lose(`${path}.reasoning`);
  return [];
}

function encodeSource(source: MediaSource): JsonRecord {
  if (source.kind === 'url') return { type: 'url', url: source.url };
  if (source.kind === 'file') return { type: 'file', file_id: source.id };
  return { type: 'base64', media_type: source.mediaType, data: source.base64 };
}
