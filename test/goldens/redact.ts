/**
 * A captured request without other people's words: what the client wrote in prose is replaced by prose of ours, ids and
 * paths by made ones, the same for the same. What stays is its structure: members, types, roles, names of tools and of
 * their arguments, numbers, and whatever the script of the capture itself had said.
 */
import { isRecord, type Json, type JsonRecord } from '../../src/base/json.ts';

/** Strings under these names are words of the API. */
const WORDS = new Set([
  'type',
  'role',
  'name',
  'namespace',
  'model',
  'effort',
  'media_type',
  'detail',
  'status',
  'tool_choice',
  'syntax',
  'phase',
  'verbosity',
  'display',
  'keep',
  'summary',
  'context',
  'truncation',
  'service_tier',
  '$schema',
]);
const WORD = /^[\w.:/-]{1,64}$/;
/** Lists of words: of the API, of a schema, or of the client's choices. */
const LISTS = new Set(['enum', 'required', 'include', 'type']);
const IDS = /(^|_|-)(id|ids|key|user)$/;
const PROSE = 'A paragraph that stands where the client wrote one.\n<note>Grüße, 世界 🌍</note>';

export class Redaction {
  /** What the capture's own script said: it stays. */
  readonly #ours: readonly string[];
  readonly #folder: string;
  readonly #ids = new Map<string, string>();

  constructor(ours: readonly string[], folder: string) {
    this.#ours = ours;
    this.#folder = folder;
  }

  body(body: JsonRecord): JsonRecord {
    return this.#record(body, '');
  }

  #record(value: JsonRecord, under: string): JsonRecord {
    const members = Object.entries(value);
    // Some clients keep these in no order.
    if (/metadata$/.test(under)) members.sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(members.map(([name, inner]) => [name, this.#value(inner, name, under)]));
  }

  #value(value: Json, name: string, under: string): Json {
    if (typeof value === 'string') return this.#text(value, name, under);
    if (Array.isArray(value))
      return value.map((one) =>
        typeof one === 'string' ? this.#listed(one, name) : this.#value(one, name, under),
      );
    return isRecord(value) ? this.#record(value, name) : value;
  }

  #listed(value: string, name: string): string {
    return LISTS.has(name) && WORD.test(value) ? value : this.#text(value, name, '');
  }

  #text(value: string, name: string, under: string): string {
    const said = value.replaceAll(this.#folder, '/folder');
    if (this.#ours.some((ours) => said.includes(ours))) return this.#isOurs(said) ? said : PROSE;
    if (value === '' || (WORDS.has(name) && WORD.test(value) && under !== 'properties')) return value;
    if (IDS.test(name)) return this.#id(value);
    if (name === 'definition') return 'start: /.+/';
    return name === 'description' ? 'What it is for, in our words.' : PROSE;
  }

  /** Ours alone, in JSON or not: not a text of the client around it. */
  #isOurs(said: string): boolean {
    const length = this.#ours
      .filter((ours) => said.includes(ours))
      .reduce((most, { length }) => Math.max(most, length), 0);
    return said.length <= length + 80;
  }

  #id(value: string): string {
    const prefix = /^[a-z]{2,8}[_-]/.exec(value)?.[0] ?? 'id-';
    const known = this.#ids.get(value) ?? `${prefix}${this.#ids.size + 1}`;
    this.#ids.set(value, known);
    return known;
  }
}
