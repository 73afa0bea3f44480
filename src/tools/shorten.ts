/**
 * What an agent is shown of a result that is too large: of each long part its head and its tail, and where the rest is.
 * Invariant: what is left out is said where it is left out, with the call that reads on from there; a result within its
 * bound is passed as it came. Characters are UTF-16 code units, and no pair of them is torn.
 */
import { isRecord, type Json, type JsonRecord } from '../base/json.ts';
import { LIMITS } from './limits.ts';

/** The server of mezz's own tools, and the one that reads on. */
export const OWN = 'mezz';
export const READ_ON = 'read_result';

/** A part that was not shown whole, as it came. */
export interface Part {
  /** Its place in the result: `0`, `1`, ... or `structured`. */
  readonly key: string;
  readonly mime: string;
  readonly bytes: Uint8Array;
}

export interface Shown {
  readonly result: JsonRecord;
  readonly parts: readonly Part[];
}

export const linkTo = (id: string, offset = 0): string =>
  `mezz://result/${id}${offset > 0 ? `?offset=${offset}` : ''}`;

/** `id`: how the call's parts are named, before the slash. `most`: characters of text that are shown. */
export function shorten(result: JsonRecord, id: string, most: number): Shown {
  const content = Array.isArray(result.content) ? result.content.filter(isRecord) : [];
  const { structuredContent } = result;
  const structured = structuredContent === undefined ? '' : JSON.stringify(structuredContent);
  const sizes = content.map(sizeOf);
  const isFit =
    sum(sizes.map(({ text }) => text)) <= most &&
    sum(sizes.map(({ binary }) => binary)) <= LIMITS.shownBinary.value &&
    structured.length <= most;
  if (isFit) return { result, parts: [] };
  const parts: Part[] = [];
  let room: number = most;
  let binaryRoom: number = LIMITS.shownBinary.value;
  const shown = content.flatMap((item, n) => {
    const { text, binary } = sizes[n] as Size;
    room -= text;
    binaryRoom -= binary;
    if (room >= 0 && binaryRoom >= 0) return [item];
    room += text;
    binaryRoom += binary;
    if (parts.length >= LIMITS.keptParts.value) return [];
    const part = partOf(item, String(n));
    parts.push(part);
    if (binary > 0)
      return [note(`${part.mime} of ${part.bytes.length} bytes is not shown.`), link(id, part, 0)];
    const { cut, from } = cutMiddle(textOf(item), Math.max(room, LIMITS.leastShown.value), `${id}/${n}`);
    room = Math.max(0, room - cut.length);
    return [withText(item, cut), link(id, part, from)];
  });
  const left = content.length - shown.filter(({ type }) => type !== 'resource_link').length;
  if (left > 0) shown.push(note(`${left} more parts are neither shown nor kept.`));
  const whole = { ...result, content: shown };
  if (structured.length <= most) return { result: whole, parts };
  parts.push({ key: 'structured', mime: 'application/json', bytes: Buffer.from(structured) });
  shown.push(note(`The structured content is shortened: ${structured.length} characters are not all shown.`));
  shown.push(link(id, parts.at(-1) as Part, 0));
  return { result: { ...whole, structuredContent: shrink(structuredContent as Json, most) }, parts };
}

/** A stretch of a kept text, and how to read on from its end. */
export function stretchOf(text: string, id: string, offset: number, length: number): string {
  const from = whole(text, Math.min(offset, text.length));
  const to = whole(text, Math.min(text.length, from + length));
  const stretch = text.slice(from, to);
  return to < text.length ? `${stretch}\n${howToReadOn(id, from, to, text.length)}` : stretch;
}

interface Size {
  readonly text: number;
  readonly binary: number;
}

/** Small items count too: there may be any number of them. */
function sizeOf(item: JsonRecord): Size {
  const data = dataOf(item);
  return data === undefined
    ? { text: textOf(item).length + LIMITS.itemCharacters.value, binary: 0 }
    : { text: LIMITS.itemCharacters.value, binary: data.length };
}

const resourceOf = ({ resource }: JsonRecord): JsonRecord => (isRecord(resource) ? resource : {});

/** Of an image, a sound or an embedded file that is no text: base64. */
function dataOf(item: JsonRecord): string | undefined {
  const data = item.data ?? resourceOf(item).blob;
  return typeof data === 'string' ? data : undefined;
}

function textOf(item: JsonRecord): string {
  const text = item.text ?? resourceOf(item).text;
  return typeof text === 'string' ? text : JSON.stringify(item);
}

function withText(item: JsonRecord, text: string): JsonRecord {
  if (typeof item.text === 'string') return { ...item, text };
  const resource = resourceOf(item);
  return typeof resource.text === 'string'
    ? { ...item, resource: { ...resource, text } }
    : { type: 'text', text };
}

function partOf(item: JsonRecord, key: string): Part {
  const data = dataOf(item);
  const mime = item.mimeType ?? resourceOf(item).mimeType;
  const named = typeof mime === 'string' ? mime : undefined;
  const most = LIMITS.keptCharacters.value;
  return data === undefined
    ? { key, mime: named ?? 'text/plain', bytes: Buffer.from(textOf(item).slice(0, most)) }
    : { key, mime: named ?? 'application/octet-stream', bytes: Buffer.from(data.slice(0, most), 'base64') };
}

/** Three quarters of the room are the head's: what is at the end of a log is most often why it ended. */
function cutMiddle(text: string, room: number, id: string): { readonly cut: string; readonly from: number } {
  const from = whole(text, Math.floor((room * 3) / 4));
  const to = whole(text, Math.max(from, text.length - Math.floor(room / 4) + 1));
  const cut = `${text.slice(0, from)}\n${howToReadOn(id, from, from, text.length, to)}\n${text.slice(to)}`;
  return { cut, from };
}

function howToReadOn(id: string, from: number, to: number, length: number, until = length): string {
  const kept = Math.min(length, LIMITS.keptCharacters.value);
  const lost = kept < length ? ` What is behind character ${kept} is not kept.` : '';
  const where =
    from === to ? `${from} to ${until} of ${length} are not shown` : `${from} to ${to} of ${length}`;
  return `[mezz: characters ${where}.${lost} Read on: ${OWN}__${READ_ON} {"result":"${id}","offset":${to}}]`;
}

const note = (text: string): JsonRecord => ({ type: 'text', text: `[mezz: ${text}]` });

const link = (id: string, { key, mime, bytes }: Part, offset: number): JsonRecord => ({
  type: 'resource_link',
  uri: linkTo(`${id}/${key}`, offset),
  name: `${id}/${key}`,
  description: 'What is not shown of this result.',
  mimeType: mime,
  size: bytes.length,
});

/** The same shape with shorter texts and lists, so that it still is what its schema says as far as that can be. */
function shrink(value: Json, most: number): Json {
  for (let each = most; each >= 1; each = Math.floor(each / 2)) {
    const shorter = shrinkEach(value, each);
    if (JSON.stringify(shorter).length <= most) return shorter;
  }
  return {};
}

function shrinkEach(value: Json, each: number): Json {
  if (typeof value === 'string') return value.length <= each ? value : value.slice(0, whole(value, each));
  if (Array.isArray(value)) return value.slice(0, each).map((one) => shrinkEach(one, each));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shrinkEach(one, each)]));
}

/** The place, or the one before it where it is inside a surrogate pair. */
function whole(text: string, at: number): number {
  const code = text.charCodeAt(at - 1);
  return at > 0 && at < text.length && code >= 0xd800 && code <= 0xdbff ? at - 1 : at;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
