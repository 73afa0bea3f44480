/** Items of the Responses API to and from neutral messages: one item becomes one message. */
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import { members, optionalText, readDataUrl, records, without } from '../members.ts';
import type { Losses, MediaSource, NeutralMessage, NeutralPart, Reasoning, ToolUse } from '../neutral.ts';
import { text } from '../read.ts';
import { isSeal, openSeal } from '../seal.ts';

export function decodeItem(item: JsonRecord): NeutralMessage {
  const type = text(item, 'type') || 'message';
  if (type === 'message') return decodeMessage(item);
  if (type === 'function_call_output' || type === 'custom_tool_call_output') {
    const result: NeutralPart = {
      kind: 'result',
      id: text(item, 'call_id'),
      custom: type === 'custom_tool_call_output',
      isError: false,
      parts: decodeContent(item.output),
      // Ids and states of items mean nothing elsewhere: a call and its result are joined by the call's id.
      extras: without(item, 'type', 'call_id', 'output', 'id', 'status'),
    };
    return { role: 'user', parts: [result], extras: {} };
  }
  const part = decodeOutputItem(item);
  // What mezz does not know is on the side that says such things: outputs are the client's, the rest the model's.
  return { role: type.endsWith('_output') ? 'user' : 'assistant', parts: part, extras: {} };
}

function decodeMessage(item: JsonRecord): NeutralMessage {
  const role = text(item, 'role');
  const known = role === 'assistant' || role === 'system' || role === 'developer' ? role : 'user';
  return {
    role: known,
    parts: decodeContent(item.content),
    extras: without(item, 'type', 'role', 'content', 'id', 'status'),
  };
}

/** Parts of one output item, a message's included. */
export function decodeOutputItem(item: JsonRecord): NeutralPart[] {
  switch (item.type) {
    case 'message':
      return decodeContent(item.content);
    case 'function_call':
    case 'custom_tool_call':
      return [decodeCall(item)];
    case 'reasoning':
      return [decodeReasoning(item)];
    default:
      return [{ kind: 'other', type: text(item, 'type'), item }];
  }
}

export function decodeCall(item: JsonRecord): ToolUse {
  const custom = item.type === 'custom_tool_call';
  return {
    kind: 'call',
    id: text(item, 'call_id'),
    name: text(item, 'name'),
    namespace: optionalText(item.namespace),
    input: text(item, custom ? 'input' : 'arguments'),
    custom,
    extras: without(item, 'type', 'call_id', 'name', 'namespace', 'input', 'arguments', 'id', 'status'),
  };
}

/** The summary is what may be read; the item with its encrypted content is what OpenAI needs back. */
export function decodeReasoning(item: JsonRecord): Reasoning {
  const texts = [...records(item.summary), ...records(item.content)].map((part) => text(part, 'text'));
  const encrypted = text(item, 'encrypted_content');
  const own = { dialect: 'openai-responses', item: without(item, 'status') } as const;
  return {
    kind: 'reasoning',
    text: texts.join('\n\n'),
    sealed: isSeal(encrypted) ? openSeal(encrypted) : encrypted === '' ? undefined : own,
    extras: {},
  };
}

function decodeContent(content: Json | undefined): NeutralPart[] {
  if (typeof content === 'string') return [{ kind: 'text', text: content, extras: {} }];
  return Array.isArray(content) ? content.filter(isRecord).map(decodePart) : [];
}

function decodePart(part: JsonRecord): NeutralPart {
  const type = text(part, 'type');
  switch (type) {
    case 'input_text':
    case 'output_text':
    case 'text': {
      // Every answer has these two, mostly with nothing in them.
      const empty = ['annotations', 'logprobs'].filter((name) => records(part[name]).length === 0);
      return { kind: 'text', text: text(part, 'text'), extras: without(part, 'type', 'text', ...empty) };
    }
    case 'refusal':
      return { kind: 'refusal', text: text(part, 'refusal'), extras: without(part, 'type', 'refusal') };
    case 'input_image':
      return {
        kind: 'image',
        source: sourceOf(text(part, 'image_url'), text(part, 'file_id')),
        detail: optionalText(part.detail),
        extras: without(part, 'type', 'image_url', 'file_id', 'detail'),
      };
    case 'input_file':
      // Bare base64 does not say what it is.
      if (text(part, 'file_data') !== '' && !readDataUrl(text(part, 'file_data'))) break;
      return {
        kind: 'file',
        name: optionalText(part.filename),
        source: sourceOf(text(part, 'file_data') || text(part, 'file_url'), text(part, 'file_id')),
        extras: without(part, 'type', 'filename', 'file_data', 'file_url', 'file_id'),
      };
    default:
      break;
  }
  return { kind: 'other', type, item: part };
}

function sourceOf(url: string, id: string): MediaSource {
  if (url === '') return { kind: 'file', id, at: 'openai' };
  const data = readDataUrl(url);
  return data ? { kind: 'data', ...data } : { kind: 'url', url };
}

/** The items of one message: its text is one item, every call, result and thought one of its own. */
export function encodeMessage(
  message: NeutralMessage,
  custom: ReadonlySet<string>,
  losses: Losses,
): JsonRecord[] {
  const extras = losses.keep(message.extras, 'input');
  const items: JsonRecord[] = [];
  let content: JsonRecord[] = [];
  const flush = () => {
    if (content.length > 0) items.push({ type: 'message', role: message.role, content, ...extras });
    content = [];
  };
  for (const part of message.parts) {
    const own = ownItem(part, custom, losses);
    if (own) {
      flush();
      items.push(...own);
    } else content.push(...encodePart(part, message.role === 'assistant', losses));
  }
  flush();
  return items;
}

/** The items of a part that is no content; undefined for content. */
function ownItem(part: NeutralPart, custom: ReadonlySet<string>, losses: Losses): JsonRecord[] | undefined {
  switch (part.kind) {
    case 'call':
      return [{ ...losses.keep(part.extras, 'input.call'), ...callItem(part) }];
    case 'result': {
      if (part.isError) losses.lose('input.result.is_error');
      const isCustom = part.custom || custom.has(part.id);
      return [
        {
          type: isCustom ? 'custom_tool_call_output' : 'function_call_output',
          call_id: part.id,
          output: encodeOutput(part.parts, losses),
          ...losses.keep(part.extras, 'input.result'),
        },
      ];
    }
    case 'reasoning':
      if (part.sealed?.dialect === 'openai-responses') return [part.sealed.item];
      losses.lose('input.reasoning');
      return [];
    default:
      return undefined;
  }
}

export const callItem = ({ id, name, namespace, input, custom }: ToolUse): JsonRecord =>
  members({
    type: custom ? 'custom_tool_call' : 'function_call',
    call_id: id,
    name,
    namespace,
    [custom ? 'input' : 'arguments']: input,
  });

function encodeOutput(parts: readonly NeutralPart[], losses: Losses): Json {
  const encoded = parts.flatMap((part) => encodePart(part, false, losses));
  const [only] = encoded;
  if (encoded.length === 0) return '';
  return encoded.length === 1 && only?.type === 'input_text' ? text(only, 'text') : encoded;
}

function encodePart(part: NeutralPart, assistant: boolean, losses: Losses): JsonRecord[] {
  switch (part.kind) {
    case 'text':
      return [
        {
          type: assistant ? 'output_text' : 'input_text',
          text: part.text,
          ...losses.keep(part.extras, 'input.text'),
        },
      ];
    case 'refusal':
      return [{ type: 'refusal', refusal: part.text, ...losses.keep(part.extras, 'input.refusal') }];
    case 'image':
      if (isElsewhere(part.source)) break;
      return [
        members({
          type: 'input_image',
          ...sourceMembers(part.source, 'image_url', 'image_url'),
          detail: part.detail,
          ...losses.keep(part.extras, 'input.image'),
        }),
      ];
    case 'file':
      if (isElsewhere(part.source)) break;
      if (part.source.kind === 'text') {
        losses.lose('input.file (sent as text)');
        losses.keep(part.extras, 'input.file');
        return [{ type: 'input_text', text: part.source.text }];
      }
      return [
        members({
          type: 'input_file',
          filename: part.name,
          ...sourceMembers(part.source, 'file_url', 'file_data'),
          ...losses.keep(part.extras, 'input.file'),
        }),
      ];
    default:
      break;
  }
  losses.lose(`input.${part.kind === 'other' ? part.type : part.kind}`);
  return [];
}

const isElsewhere = (source: { readonly kind: string; readonly at?: string }): boolean =>
  source.kind === 'file' && source.at !== 'openai';

function sourceMembers(source: MediaSource, urlName: string, dataName: string): JsonRecord {
  if (source.kind === 'file') return { file_id: source.id };
  return source.kind === 'url'
    ? { [urlName]: source.url }
    : { [dataName]: `data:${source.mediaType};base64,${source.base64}` };
}
