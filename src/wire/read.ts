/** Reading small parts of a scanned body. */

import { refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/hash.ts';
import { isRecord, type Json, type JsonRecord, parseJson } from '../base/json.ts';
import type { HostedTool, Range, RequestFacts } from '../base/model.ts';
import type { ReadProblem } from './dialect.ts';
import { LIMITS } from './limits.ts';
import {
  type BodyScan,
  type KnownValue,
  type KnownValues,
  type Member,
  scanBody,
  textIn,
  Unreadable,
} from './scan.ts';

export interface Scanned extends BodyScan {
  readonly body: Uint8Array;
}

/** Scans a body and reads its facts; what cannot be read strictly is a problem, never silently absent. */
export function readBody(
  body: Uint8Array,
  arrays: readonly string[],
  read: (scan: Scanned) => RequestFacts,
  known?: KnownValues,
): RequestFacts | ReadProblem {
  const scan = scanBody(body, arrays, known);
  if ('problem' in scan) return scan;
  try {
    return read({ ...scan, body });
  } catch (error) {
    if (error instanceof Unreadable) return { problem: refusal('bad_request', error.message) };
    throw error;
  }
}

/**
 * The value of a member, or undefined if it is absent. Throws Unreadable if it is not JSON or holds a key twice:
 * another parser could see another value than this one.
 */
export function member(scan: Scanned, name: string): Json | undefined {
  const range = scan.members.get(name);
  if (range === undefined) return undefined;
  const value = parsed(scan, range);
  if (range.keys > 0 && countKeys(value) !== range.keys)
    throw new Unreadable(`An object in the member "${name}" has the same key twice.`);
  return value;
}

/**
 * Reads the member `tools`, which agents send unchanged with every request: what the same bytes meant is remembered,
 * since comparing them costs a hundredth of reading them.
 */
export class Tools<T> implements KnownValues {
  readonly #read: (tools: Json | undefined) => T;
  readonly #none: T;
  /** Last used first. */
  readonly #known: (KnownValue & { readonly tools: T })[] = [];

  constructor(read: (tools: Json | undefined) => T) {
    this.#read = read;
    this.#none = read(undefined);
  }

  find(name: string, body: Buffer, start: number): KnownValue | undefined {
    if (name !== 'tools') return undefined;
    const at = this.#known.findIndex(
      ({ bytes }) =>
        body.compare(bytes, 0, bytes.length, start, Math.min(start + bytes.length, body.length)) === 0,
    );
    if (at === -1) return undefined;
    if (at > 0) this.#known.unshift(...this.#known.splice(at, 1));
    return this.#known[0];
  }

  read(scan: Scanned): T {
    const range = scan.members.get('tools');
    if (range === undefined) return this.#none;
    if (range.known) return (range.known as KnownValue & { readonly tools: T }).tools;
    const tools = this.#read(member(scan, 'tools'));
    const bytes = scan.body.subarray(range.start, range.end);
    // Only what ends by itself is known by its beginning.
    if (bytes[0] !== OPEN_BRACKET || bytes.length > LIMITS.knownToolsBytes.value) return tools;
    this.#known.unshift({ bytes: Buffer.from(bytes), keys: range.keys, hash: sha256Hex(bytes), tools });
    if (this.#known.length > LIMITS.knownTools.value) this.#known.pop();
    return tools;
  }
}

const OPEN_BRACKET = 0x5b;

/** Where a request's tools are, and their hash where it is known. */
export const toolsOf = ({ start, end, known }: Member): NonNullable<RequestFacts['tools']> =>
  known ? { start, end, hash: known.hash } : { start, end };

function parsed(scan: Scanned, range: Range): Json {
  const value = parseJson(textIn(scan, scan.body, range));
  if (value === undefined) throw new Unreadable(`The JSON value at offset ${range.start} is not valid.`);
  return value;
}

function countKeys(value: Json): number {
  let total = 0;
  if (Array.isArray(value)) for (const item of value) total += countKeys(item);
  else if (isRecord(value)) {
    for (const key of Object.keys(value)) total += 1 + countKeys(value[key] as Json);
  }
  return total;
}

/** The member `model`, without which no dialect but Responses with a stored prompt works. */
export function modelMember(scan: Scanned): string {
  const model = textMember(scan, 'model');
  if (model === undefined) throw new Unreadable('The member "model" is missing or not a string.');
  return model;
}

export function requireMember(scan: Scanned, name: string): void {
  if (!scan.members.has(name)) throw new Unreadable(`The member "${name}" is missing.`);
}

export function textMember(scan: Scanned, name: string): string | undefined {
  const value = member(scan, name);
  return typeof value === 'string' ? value : undefined;
}

export function countMember(scan: Scanned, name: string): number | undefined {
  const value = member(scan, name);
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

export function recordAt(scan: Scanned, range: Range): JsonRecord | undefined {
  const value = parsed(scan, range);
  return isRecord(value) ? value : undefined;
}

/** The messages behind the last one for which `isAnswer` holds: what the client added since the model last spoke. */
export function sinceLastAnswer(scan: Scanned, isAnswer: (message: JsonRecord) => boolean): JsonRecord[] {
  const recent: JsonRecord[] = [];
  for (let i = scan.elements.length - 1; i >= 0; i--) {
    const message = recordAt(scan, scan.elements[i] as Range);
    if (!message) continue;
    if (isAnswer(message)) break;
    recent.unshift(message);
  }
  return recent;
}

/** Every value of `names` found anywhere in a value: ids of objects that live upstream. */
export function collectIds(value: Json | undefined, names: ReadonlySet<string>, into: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) collectIds(item, names, into);
  else if (isRecord(value)) {
    for (const [key, inner] of Object.entries(value)) {
      // What a model wrote for a tool is opaque: an argument of that name is no object of the API.
      if (key === 'input' && /_use$/.test(text(value, 'type'))) continue;
      if (typeof inner === 'string' && names.has(key)) into.add(inner);
      else collectIds(inner, names, into);
    }
  }
}

/**
 * May the body hold the text of this type? Spares parsing where it does not. It can hide behind escapes of ASCII
 * letters (`additional\u005ftools`), which no honest encoder writes: their presence counts as a mention.
 */
export function mentions(scan: Scanned, type: 'additional_tools'): boolean {
  // Two plain searches: an alternation would be tried at every byte.
  return scan.latin1.includes(`${type}"`) || (scan.latin1.includes('\\u00') && ESCAPED.test(scan.latin1));
}

const ESCAPED = /\\u00[2-7]/;

/** Appends while a remembered text is within its bound. */
export function appended(have: string, more: string): string {
  const room = LIMITS.intentBytes.value - have.length;
  return room <= 0 ? have : have + (more.length > room ? more.slice(0, room) : more);
}

export function text(record: JsonRecord, name: string): string {
  const value = record[name];
  return typeof value === 'string' ? value : '';
}

export function count(record: JsonRecord, name: string): number {
  const value = record[name];
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.floor(value) : 0;
}

export function record(value: Json | undefined): JsonRecord {
  return isRecord(value) ? value : {};
}

export const hostedTool = (type: string, acts: boolean): HostedTool => ({ type, acts });
