/** Content blocks of Messages to and from neutral parts. */
import { isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import { members, optionalText, without } from '../members.ts';
import { functionInput, type Losses, type MediaSource, type NeutralPart, type Sealed } from '../neutral.ts';
import { record, text } from '../read.ts';

export function decodeContent(content: Json | undefined): NeutralPart[] {
  if (typeof content === 'string') return [{ kind: 'text', text: content, extras: {} }];
  return Array.isArray(content) ? content.filter(isRecord).map(decodeBlock) : [];
}

function decodeBlock(block: JsonRecord): NeutralPart {
  switch (block.type) {
    case 'text':
      return { kind: 'text', text: text(block, 'text'), extras: without(block, 'type', 'text') };
    case 'image':
      return { kind: 'image', source: decodeSource(block.source), extras: without(block, 'type', 'source') };
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
  if (source.type === 'text')
    return {
      kind: 'text',
      text: text(source, 'data'),
      extras: without(block, 'type', 'source'),
    };
  if (source.type !== 'base64' && source.type !== 'url' && source.type !== 'file')
    return { kind: 'other', type: 'document', item: block };
  return {
    kind: 'file',
    name: optionalText(block.title),
    source: decodeSource(source),
    extras: without(block, 'type', 'source', 'title'),
  };
}

function decodeSource(value: Json | undefined): MediaSource {
  const source = record(value);
  if (source.type === 'url') return { kind: 'url', url: text(source, 'url') };
  if (source.type === 'file') return { kind: 'file', id: text(source, 'file_id') };
  return { kind: 'data', mediaType: text(source, 'media_type'), base64: text(source, 'data') };
}

/** What this prefix marks is no signature of Anthropic's: mezz keeps another provider's sealed thoughts in it. */
const SEAL = 'mezz-seal:';

function decodeThinking(block: JsonRecord): NeutralPart {
  const signature = text(block, 'signature');
  const extras = without(block, 'type', 'thinking', 'signature');
  const foreign = signature.startsWith(SEAL) ? openSeal(signature) : undefined;
  const own: Sealed | undefined =
    signature === '' ? undefined : { dialect: 'anthropic', item: { type: 'thinking', ...block } };
  return { kind: 'reasoning', text: text(block, 'thinking'), sealed: foreign ?? own, extras };
}

function openSeal(signature: string): Sealed | undefined {
  const value = parseJson(Buffer.from(signature.slice(SEAL.length), 'base64').toString('utf8'));
  if (!isRecord(value) || !isRecord(value.item)) return undefined;
  return value.dialect === 'openai-responses' ? { dialect: 'openai-responses', item: value.item } : undefined;
}

/** A signature by which the thoughts of another provider come back with the client's next request. */
export const sealSignature = (sealed: Sealed | undefined): string =>
  sealed === undefined ? '' : `${SEAL}${Buffer.from(JSON.stringify(sealed)).toString('base64')}`;

/** Blocks of parts; parts Messages cannot say are named as lost. */
export function encodeParts(parts: readonly NeutralPart[], losses: Losses, path: string): JsonRecord[] {
  return parts.flatMap((part) => encodeBlock(part, losses, path));
}

function encodeBlock(part: NeutralPart, losses: Losses, path: string): JsonRecord[] {
  switch (part.kind) {
    case 'text':
    case 'refusal':
      // The API refuses empty text.
      return part.text === ''
        ? []
        : [{ type: 'text', text: part.text, ...losses.keep(part.extras, `${path}.text`) }];
    case 'image':
      return [
        {
          type: 'image',
          source: encodeSource(part.source),
          ...losses.keep(part.extras, `${path}.image`),
        },
      ];
    case 'file':
      return [
        members({
          type: 'document',
          source: encodeSource(part.source),
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
          input: record(parseJson(functionInput(part))),
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
      losses.lose(`${path}.${part.type}`);
      return [];
  }
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
