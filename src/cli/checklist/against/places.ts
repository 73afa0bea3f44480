import { isRecord, type Json } from '../../../base/json.ts';

/** What the places of a description are filled with: `{agent}`, `{n}`, `{env.NAME}` and so on. */
export type Places = Readonly<Record<string, string | number>>;

const PLACE = /\{([a-z]+|env\.[A-Za-z_][A-Za-z0-9_]*)\}/g;

/** A text with its places filled; one that is not known stays as it is. */
export const fillText = (text: string, places: Places): string =>
  text.replaceAll(PLACE, (whole, name: string) => {
    const value = name.startsWith('env.') ? process.env[name.slice(4)] : places[name];
    return value === undefined ? whole : String(value);
  });

/** As `fillText` in every text of a value; a text that is nothing but the place of a number becomes that number. */
export function fill<T extends Json>(value: T, places: Places): T {
  if (typeof value === 'string') {
    const only = places[/^\{([a-z]+)\}$/.exec(value)?.[1] ?? ''];
    return (typeof only === 'number' ? only : fillText(value, places)) as T;
  }
  if (Array.isArray(value)) return value.map((item: Json) => fill(item, places)) as unknown as T;
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, fill(item as Json, places)]),
  ) as T;
}
