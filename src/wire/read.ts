/** Reading small parts of a scanned body. */
import { isRecord, type Json, type JsonRecord, parseJson } from '../base/json.ts';
import type { HostedTool, Range } from '../base/model.ts';
import { type BodyScan, textOf } from './scan.ts';

export interface Scanned extends BodyScan {
  readonly body: Uint8Array;
}

/** The value of a member, or undefined if it is absent or its text is not JSON. */
export function member(scan: Scanned, name: string): Json | undefined {
  const range = scan.members.get(name);
  return range === undefined ? undefined : parseJson(textOf(scan.body, range));
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
  const value = parseJson(textOf(scan.body, range));
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
      if (typeof inner === 'string' && names.has(key)) into.add(inner);
      else collectIds(inner, names, into);
    }
  }
}

/** Does the text of the body name one of these members at all? Spares parsing where it does not. */
export function mentions(body: Uint8Array, name: string): boolean {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(`"${name}"`);
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
