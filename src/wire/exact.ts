/** JSON whose numbers stay as they were written: ids that are longer than a number can hold are still ids. */
import { type Json, parseJson } from '../base/json.ts';

/** So many digits may be more than a number holds. */
const LONG = /\d{16}/;

/** Not in the compiler's library yet (ECMAScript proposal "JSON.parse source text access"; every Node we run on has it). */
interface SourceJson {
  parse(
    text: string,
    revive: (key: string, value: Json, context: { readonly source?: string }) => Json,
  ): Json;
  rawJSON(source: string): Json;
}
const source = JSON as unknown as SourceJson;

/** undefined when it is no JSON. A number that would change is an object that JSON.stringify writes as it was. */
export function parseExact(text: string): Json | undefined {
  if (!LONG.test(text)) return parseJson(text);
  try {
    return source.parse(text, (_key, value, { source: written = '' }) =>
      typeof value === 'number' && String(value) !== written && LONG.test(written)
        ? source.rawJSON(written)
        : value,
    );
  } catch {
    return undefined;
  }
}
