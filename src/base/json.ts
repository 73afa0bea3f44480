/** JSON as TypeScript sees it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonRecord;
export interface JsonRecord {
  readonly [key: string]: Json;
}

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * As `Number` and `String`, for what somebody else sent: those throw on an object that brings a `toString` of its own.
 * NaN and the empty text for what holds something.
 */
export const numberOf = (value: unknown): number => (holds(value) ? Number.NaN : Number(value));
export const stringOf = (value: unknown): string => (holds(value) ? '' : String(value));
const holds = (value: unknown): boolean => typeof value === 'object' && value !== null;

/** A table that is asked for names from outside: it knows none of those that every object has (`constructor`). */
export const tableOf = <V>(entries: Readonly<Record<string, V>>): Readonly<Record<string, V>> =>
  Object.assign(Object.create(null) as Record<string, V>, entries);

/** Parses JSON from outside; undefined instead of an exception when it is not JSON. */
export function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** One text per value: members sorted by key, no spaces (RFC 8785 for the values JSON.parse can give). */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isRecord(value)) return JSON.stringify(value);
  let text = '{';
  for (const key of Object.keys(value).sort()) {
    const separator = text === '{' ? '' : ',';
    text += `${separator}${JSON.stringify(key)}:${canonicalJson(value[key] as Json)}`;
  }
  return `${text}}`;
}
