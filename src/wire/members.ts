/** Reading and writing JSON members in the codecs: what is absent stays absent, what is not read stays named. */
import { isRecord, type Json, type JsonRecord } from '../base/json.ts';

/** The members that are none of `names`: what a decoder does not read. */
export function without(record: JsonRecord, ...names: readonly string[]): JsonRecord {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}

/** Members of an inner object that only one dialect has keep its name. */
export const nested = (name: string, inner: JsonRecord): JsonRecord =>
  Object.keys(inner).length > 0 ? { [name]: inner } : {};

/** A member of a kind that its reader does not know stays as it is, unless it says the default. */
export function unread(name: string, value: Json | undefined, read: (value: Json) => unknown): JsonRecord {
  if (value === undefined || value === null || (isRecord(value) && value.type === 'text')) return {};
  return read(value) === undefined ? { [name]: value } : {};
}

/** A JSON object of the members that are defined. */
export function members(values: { readonly [name: string]: Json | undefined }): JsonRecord {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  );
}

export const records = (value: Json | undefined): JsonRecord[] =>
  Array.isArray(value) ? value.filter(isRecord) : [];
export const optionalText = (value: Json | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;
export const optionalNumber = (value: Json | undefined): number | undefined =>
  typeof value === 'number' ? value : undefined;
export const optionalFlag = (value: Json | undefined): boolean | undefined =>
  typeof value === 'boolean' ? value : undefined;

/** `data:<media type>;base64,<data>` taken apart; undefined for every other URL. */
export function readDataUrl(url: string): { mediaType: string; base64: string } | undefined {
  const found = /^data:([\w.+/-]+);base64,(.*)$/s.exec(url);
  return found ? { mediaType: found[1] as string, base64: found[2] as string } : undefined;
}
