/**
 * One pass over a JSON object in bytes: the ranges of its top-level members and of the elements of one array member,
 * without building values. JSON's grammar (RFC 8259) is checked for structure; strings and numbers are skipped, and
 * the parts mezz reads are parsed later, strictly, from their ranges.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { viewOf } from '../base/bytes.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import type { Range } from '../base/model.ts';
import { LIMITS } from './limits.ts';

/** A value that was scanned before, from bracket to bracket: where these bytes begin, it ends where they do. */
export interface KnownValue {
  readonly bytes: Buffer;
  readonly keys: number;
  /** SHA-256 of the bytes, hex. */
  readonly hash: string;
}

/** What is known of the values of members: the one that begins here, or undefined. */
export interface KnownValues {
  find(name: string, body: Buffer, start: number): KnownValue | undefined;
}

export interface Member extends Range {
  /** How many keys its value holds at all depths: fewer after parsing means that one came twice. */
  readonly keys: number;
  readonly known: KnownValue | undefined;
}

export interface BodyScan {
  readonly members: ReadonlyMap<string, Member>;
  /** Elements of the first of the named array members, in order. */
  readonly elements: readonly Range[];
  /** May a value hold a member `file_id`? A name that is spelled with escapes counts; known values do not. */
  readonly namesFile: boolean;
  /** The body, one character a byte: for searching. */
  readonly latin1: string;
  /** One byte is one character: `latin1` is the body's text. */
  readonly isAscii: boolean;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** The body is not what its dialect needs; the message is for the client. */
export class Unreadable extends Error {}
class Syntax extends Unreadable {}

/** Scans a body whose top level must be an object; `arrays` names the members whose elements are wanted. */
export function scanBody(
  body: Uint8Array,
  arrays: readonly string[],
  known?: KnownValues,
): BodyScan | { readonly problem: Refusal } {
  const ascii = isAscii(body);
  if (!ascii && !isUtf8(body)) return problem('The body is not valid UTF-8.');
  try {
    const scanner = new Scanner(viewOf(body), arrays, known);
    const { members, elements } = scanner.object();
    const { latin1, namesFile } = scanner;
    return { members, elements, namesFile, latin1, isAscii: ascii };
  } catch (error) {
    if (error instanceof Syntax) return problem(error.message);
    throw error;
  }
}

const problem = (message: string) => ({ problem: refusal('bad_request', message) });

/** The open brackets of the body being scanned: a scan is one synchronous pass, so all of them share it. */
const STACK = new Uint8Array(LIMITS.depth.value);

class Scanner {
  readonly #bytes: Buffer;
  /** The same bytes as a one-byte string: searching it costs half of searching the buffer. */
  readonly latin1: string;
  readonly #arrays: readonly string[];
  readonly #known: KnownValues | undefined;
  namesFile = false;
  #at = 0;
  /** Members seen so far in values below the top level. */
  #keys = 0;

  constructor(bytes: Buffer, arrays: readonly string[], known: KnownValues | undefined) {
    this.#bytes = bytes;
    this.latin1 = bytes.toString('latin1');
    this.#arrays = arrays;
    this.#known = known;
  }

  object(): Pick<BodyScan, 'members' | 'elements'> {
    const members = new Map<string, Member>();
    let elements: Range[] = [];
    this.#space();
    this.#expect(OPEN_BRACE, 'a JSON object');
    this.#space();
    if (this.#bytes[this.#at] === CLOSE_BRACE) this.#at++;
    else {
      for (;;) {
        this.#space();
        const name = this.#name();
        if (members.has(name)) throw new Syntax(`The member "${name}" appears twice.`);
        this.#space();
        this.#expect(COLON, '":"');
        this.#space();
        const start = this.#at;
        const keysBefore = this.#keys;
        const known = this.#known?.find(name, this.#bytes, start);
        if (known) this.#pass(known);
        else if (this.#arrays.includes(name) && this.#bytes[start] === OPEN_BRACKET)
          elements = this.#elements();
        else this.#value(1);
        members.set(name, { start, end: this.#at, keys: this.#keys - keysBefore, known });
        this.#space();
        if (this.#bytes[this.#at] === CLOSE_BRACE) break;
        this.#expect(COMMA, '"," or "}"');
      }
      this.#at++;
    }
    this.#space();
    if (this.#at !== this.#bytes.length)
      throw new Syntax(`Unexpected bytes after the JSON object at offset ${this.#at}.`);
    return { members, elements };
  }

  #pass({ bytes, keys }: KnownValue): void {
    this.#at += bytes.length;
    this.#keys += keys;
  }

  #elements(): Range[] {
    const found: Range[] = [];
    this.#at++;
    this.#space();
    if (this.#bytes[this.#at] === CLOSE_BRACKET) {
      this.#at++;
      return found;
    }
    for (;;) {
      this.#space();
      const start = this.#at;
      this.#value(2);
      found.push({ start, end: this.#at });
      if (found.length > LIMITS.messages.value) throw new Syntax('The request has too many messages.');
      this.#space();
      if (this.#bytes[this.#at] === CLOSE_BRACKET) break;
      this.#expect(COMMA, '"," or "]"');
    }
    this.#at++;
    return found;
  }

  /** Skips one value by JSON's grammar; `above` is how many containers it already stands in. */
  #value(above: number): void {
    const bytes = this.#bytes;
    const stack = STACK;
    let depth = 0;
    for (;;) {
      this.#space();
      const byte = bytes[this.#at];
      if (byte === QUOTE) this.#string();
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (above + depth >= LIMITS.depth.value)
          throw new Syntax(`The JSON is nested deeper than ${LIMITS.depth.value} levels.`);
        this.#at++;
        this.#space();
        // '}' and ']' both stand two places behind their opening bracket.
        if (bytes[this.#at] === byte + 2) this.#at++;
        else {
          stack[depth++] = byte;
          if (byte === OPEN_BRACE) this.#key();
          continue;
        }
      } else this.#scalar();
      depth = this.#close(depth);
      if (depth === 0) return;
    }
  }

  /** Behind a value: leaves the containers that end here, then passes one comma. Gives the new depth. */
  #close(from: number): number {
    let depth = from;
    while (depth > 0) {
      this.#space();
      const open = STACK[depth - 1] as number;
      const byte = this.#bytes[this.#at];
      if (byte === COMMA) {
        this.#at++;
        this.#space();
        if (open === OPEN_BRACE) this.#key();
        return depth;
      }
      if (byte !== open + 2)
        throw new Syntax(`Expected "," or "${String.fromCharCode(open + 2)}" at offset ${this.#at}.`);
      this.#at++;
      depth--;
    }
    return 0;
  }

  #key(): void {
    const start = this.#at;
    if (this.#bytes[start] !== QUOTE) throw new Syntax(`Expected a member name at offset ${start}.`);
    this.#string();
    if (!this.namesFile) this.namesFile = this.#isFile(start + 1, this.#at - 1);
    this.#space();
    this.#expect(COLON, '":"');
    this.#keys++;
  }

  #isFile(start: number, end: number): boolean {
    if (end - start === FILE.length && this.latin1.startsWith(FILE, start)) return true;
    for (let at = start; at < end; at++) if (this.#bytes[at] === BACKSLASH) return true;
    return false;
  }

  #string(): void {
    const bytes = this.#bytes;
    let at = this.#at + 1;
    // Most strings are short: a call of indexOf costs more than a few steps here. Long ones run at memory speed.
    const near = at + 24;
    while (at < near) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.#at = at + 1;
        return;
      }
      at += byte === BACKSLASH ? 2 : 1;
    }
    // The last step may have jumped over an escaped byte: `at` is never inside an escape.
    const from = at;
    for (;;) {
      at = this.latin1.indexOf('"', at);
      if (at === -1) throw new Syntax(`The string at offset ${this.#at} does not end.`);
      let back = at - 1;
      while (back >= from && bytes[back] === BACKSLASH) back--;
      at++;
      if ((at - back) % 2 === 0) break;
    }
    this.#at = at;
  }

  /** A number, true, false or null. */
  #scalar(): void {
    const start = this.#at;
    let byte = this.#bytes[this.#at];
    while (
      byte !== undefined &&
      ((byte >= 0x30 && byte <= 0x39) ||
        (byte >= 0x61 && byte <= 0x7a) ||
        byte === 0x2b ||
        byte === 0x2d ||
        byte === 0x2e ||
        byte === 0x45)
    ) {
      byte = this.#bytes[++this.#at];
    }
    const text = this.latin1.slice(start, this.#at);
    if (text === 'true' || text === 'false' || text === 'null') return;
    if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text))
      throw new Syntax(`Unexpected bytes at offset ${start}.`);
  }

  #name(): string {
    if (this.#bytes[this.#at] !== QUOTE) throw new Syntax(`Expected a member name at offset ${this.#at}.`);
    const start = this.#at;
    this.#string();
    const usual = USUAL[this.#at - start - 2]?.find((one) => this.latin1.startsWith(one, start + 1));
    if (usual !== undefined) return usual;
    const name = this.latin1.slice(start + 1, this.#at - 1);
    if (PLAIN.test(name)) return name;
    try {
      return JSON.parse(textOf(this.#bytes, { start, end: this.#at })) as string;
    } catch {
      throw new Syntax(`The member name at offset ${start} is not a JSON string.`);
    }
  }

  #space(): void {
    let byte = this.#bytes[this.#at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = this.#bytes[++this.#at];
  }

  #expect(byte: number, what: string): void {
    if (this.#bytes[this.#at] !== byte) throw new Syntax(`Expected ${what} at offset ${this.#at}.`);
    this.#at++;
  }
}

/** What objects that live upstream are named by. */
const FILE = 'file_id';

/** Names that most requests have, by their length: found where they stand, without a string of their own. */
const USUAL: readonly (readonly string[] | undefined)[] = byLength([
  ...['model', 'messages', 'input', 'stream', 'tools', 'system', 'user', 'metadata', 'instructions', 'store'],
  ...['max_tokens', 'max_completion_tokens', 'max_output_tokens', 'temperature', 'top_p', 'stop', 'thinking'],
  ...[
    'tool_choice',
    'parallel_tool_calls',
    'stream_options',
    'reasoning',
    'text',
    'include',
    'prompt_cache_key',
  ],
]);

function byLength(names: readonly string[]): string[][] {
  const lists: string[][] = [];
  for (const name of names) lists[name.length] = [...(lists[name.length] ?? []), name];
  return lists;
}

/** Nearly all others: what stands between the quotes is the name. */
const PLAIN = /^\w*$/;

/** The text of a range. */
export function textOf(bytes: Uint8Array, range: Range): string {
  return viewOf(bytes).toString('utf8', range.start, range.end);
}

/** The same of a scanned body. */
export const textIn = (scan: BodyScan, body: Uint8Array, range: Range): string =>
  scan.isAscii ? scan.latin1.slice(range.start, range.end) : textOf(body, range);
