/**
 * The part of TOML that programs' settings are written in: tables, dotted names, texts, numbers, truths, lists and inline
 * tables. What it cannot read it passes over: it looks for what is there and judges nothing.
 */
import { isRecord, type Json, type JsonRecord } from '../base/json.ts';

type Mutable = { [name: string]: Json };

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonRecord {
    const root: Mutable = {};
    let table = root;
    for (this.#skip(true); this.#at < this.#text.length; this.#skip(true)) {
      if (this.#take('[[')) table = {};
      else if (this.#take('[')) table = within(root, this.#names());
      else if (!this.#pair(table)) this.#line();
      else continue;
      this.#line();
    }
    return root;
  }

  /** `name = value`; false where it is something else. */
  #pair(table: Mutable): boolean {
    const names = this.#names();
    this.#skip(false);
    const last = names.pop();
    if (last === undefined || !this.#take('=')) return false;
    const value = this.#value();
    if (value === undefined) return false;
    within(table, names)[last] = value;
    return true;
  }

  #names(): string[] {
    const names: string[] = [];
    do {
      this.#skip(false);
      const name = this.#quoted() ?? this.#match(/[\w-]+/y);
      if (name === undefined) break;
      names.push(name);
      this.#skip(false);
    } while (this.#take('.'));
    return names;
  }

  #value(): Json | undefined {
    this.#skip(false);
    const text = this.#quoted();
    if (text !== undefined) return text;
    if (this.#take('[')) return this.#list();
    if (this.#take('{')) return this.#inline();
    const word = this.#match(/[^\s,\]}#]+/y);
    if (word === 'true' || word === 'false') return word === 'true';
    return word === undefined || Number.isNaN(Number(word)) ? word : Number(word);
  }

  #list(): Json[] {
    const list: Json[] = [];
    for (this.#skip(true); !this.#take(']') && this.#at < this.#text.length; this.#skip(true)) {
      const value = this.#value();
      if (value === undefined) break;
      list.push(value);
      this.#skip(true);
      this.#take(',');
    }
    return list;
  }

  #inline(): JsonRecord {
    const table: Mutable = {};
    for (this.#skip(true); !this.#take('}') && this.#at < this.#text.length; this.#skip(true)) {
      if (!this.#pair(table)) break;
      this.#skip(true);
      this.#take(',');
    }
    return table;
  }

  #quoted(): string | undefined {
    const long = this.#match(/"""[\s\S]*?"""|'''[\s\S]*?'''/y);
    if (long !== undefined) return long.slice(3, -3).replace(/^\n/, '');
    const literal = this.#match(/'[^'\n]*'/y);
    if (literal !== undefined) return literal.slice(1, -1);
    const basic = this.#match(/"(?:[^"\\\n]|\\.)*"/y);
    if (basic === undefined) return undefined;
    try {
      return JSON.parse(basic) as string;
    } catch {
      return basic.slice(1, -1);
    }
  }

  #take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  /** Spaces and comments, over the ends of lines too where a value goes on. */
  #skip(lines: boolean): void {
    this.#match(lines ? /(?:\s|#[^\n]*)*/y : /[ \t]*/y);
  }

  #line(): void {
    this.#match(/[^\n]*/y);
  }
}

function within(root: Mutable, names: readonly string[]): Mutable {
  let table = root;
  for (const name of names) {
    if (!isRecord(table[name])) table[name] = {};
    table = table[name] as Mutable;
  }
  return table;
}

export const readToml = (text: string): JsonRecord => new Reader(text).document();
