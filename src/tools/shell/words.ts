/**
 * shell/ reads what a shell command touches, conservatively: what it cannot read is a guess about the whole checkout, never
 * nothing. It runs nothing, expands nothing and looks at no file. This file splits text into commands and words
 * (POSIX shell command language, 2.2 quoting, 2.6.3 command substitution, 2.7 redirection), as far as text alone tells.
 */
import { LIMITS } from '../limits.ts';

export interface Word {
  readonly text: string;
  /** The word is more than its text: a variable, a substitution or a pattern; `text` is what stands before it. */
  readonly open: boolean;
  /** It begins with what is not known: it may lead anywhere. */
  readonly anywhere?: true;
}

export interface Redirect {
  readonly to: Word;
  readonly how: 'replace' | 'append' | 'read';
}

export interface SimpleCommand {
  readonly words: readonly Word[];
  readonly redirects: readonly Redirect[];
  /** A subshell or a substitution: where its commands go, those behind it do not. */
  readonly inside?: readonly SimpleCommand[];
}

export interface Script {
  readonly commands: readonly SimpleCommand[];
  /** Part of it could not be read to its end. */
  readonly hidden: boolean;
}

const OPERATOR = /^(?:&&|\|\||;;|[;|&()\n])/;
const REDIRECT = /^(?:\d*|&)(>>|>\||>&|>|<<<|<<-?|<&|<>|<)/;
/** Commands that are spelled like the beginning of a pattern. */
const MARK = /^(?:\[\[?|\{)(?=\s)/;
const OPEN = new Set(['$', '`', '*', '?', '[', '{']);

/** What closes the commands that are read: nothing, a parenthesis or a backtick. */
type Close = '' | ')' | '`';

/** Words and redirections of the command that is being read, and what runs inside its words. */
interface Draft {
  words: Word[];
  redirects: Redirect[];
  inside: SimpleCommand[];
}

class Reader {
  hidden = false;
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #draft: Draft = { words: [], redirects: [], inside: [] };
  #heredocs: string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** The commands up to what closes them. */
  read(close: Close): SimpleCommand[] {
    if (++this.#depth > LIMITS.substitutionDepth.value) return this.#giveUp();
    const outer = this.#draft;
    const commands: SimpleCommand[] = [];
    this.#begin();
    let isClosed = close === '';
    while (this.#at < this.#text.length) {
      if (close !== '' && this.#text[this.#at] === close) {
        this.#at++;
        isClosed = true;
        break;
      }
      this.#next(commands);
    }
    this.#end(commands);
    if (!isClosed) this.hidden = true;
    this.#draft = outer;
    this.#depth--;
    return commands;
  }

  #next(commands: SimpleCommand[]): void {
    const rest = this.#text.slice(this.#at, this.#at + HEAD);
    const operator = OPERATOR.exec(rest);
    const redirect = REDIRECT.exec(rest);
    if (/^[^\S\n]/.test(rest)) this.#at++;
    else if (rest.startsWith('\\\n')) this.#at += 2;
    else if (rest.startsWith('#')) this.#at = this.#endOfLine();
    else if (redirect) this.#redirect(redirect);
    else if (operator) this.#operator(operator[0], commands);
    else this.#plainWord();
  }

  #plainWord(): void {
    const from = this.#at;
    this.#draft.words.push(this.#word());
    if (this.#at > from) return;
    // A backtick where none can be.
    this.#at++;
    this.hidden = true;
  }

  /** The rest is not read. */
  #giveUp(): SimpleCommand[] {
    this.hidden = true;
    this.#at = this.#text.length;
    this.#depth--;
    return [];
  }

  #endOfLine(): number {
    const end = this.#text.indexOf('\n', this.#at);
    return end === -1 ? this.#text.length : end;
  }

  #operator(operator: string, commands: SimpleCommand[]): void {
    this.#end(commands);
    this.#at += operator.length;
    if (operator === '(') commands.push({ words: [], redirects: [], inside: this.read(')') });
    if (operator !== '\n') return;
    for (const mark of this.#heredocs.splice(0)) this.#skipHeredoc(mark);
  }

  #skipHeredoc(mark: string): void {
    while (this.#at < this.#text.length) {
      const end = this.#endOfLine();
      const line = this.#text.slice(this.#at, end);
      this.#at = Math.min(end + 1, this.#text.length);
      if (line.replace(/^\t+/, '') === mark) return;
    }
  }

  #redirect([whole, operator]: RegExpExecArray): void {
    this.#at += whole.length;
    while (/[ \t]/.test(this.#text[this.#at] ?? '')) this.#at++;
    const { redirects } = this.#draft;
    const to = this.#word();
    // `<(...)`: what runs in it is read as a subshell.
    if (to.text === '' && !to.open) return;
    if (operator === '<<' || operator === '<<-') this.#heredocs.push(to.text);
    else if (operator === '>' || operator === '>|') redirects.push({ to, how: 'replace' });
    else if (operator === '>>' || operator === '<>') redirects.push({ to, how: 'append' });
    else if (operator === '<') redirects.push({ to, how: 'read' });
    else if (operator === '>&' && !/^(?:\d|-)/.test(to.text)) redirects.push({ to, how: 'replace' });
  }

  #word(): Word {
    const [mark] = MARK.exec(this.#text.slice(this.#at, this.#at + HEAD)) ?? [];
    if (mark !== undefined) {
      this.#at += mark.length;
      return { text: mark, open: false };
    }
    let text = '';
    let open = false;
    let anywhere = false;
    let quote = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] as string;
      if (quote === '' && /[\s;|&()<>]/.test(char)) break;
      if (quote === '' && (char === "'" || char === '"')) quote = char;
      else if (char === quote) quote = '';
      else if (char === '\\' && quote !== "'") {
        this.#at++;
        if (!open) text += this.#text[this.#at] ?? '';
      } else if (char === '`' && quote !== "'") {
        if (this.#inBackticks) break;
        anywhere ||= text === '' && !open;
        open = true;
        this.#substitute(1, '`');
      } else if (quote !== "'" && OPEN.has(char) && (quote === '' || char === '$')) {
        anywhere ||= char === '$' && text === '' && !open;
        open = true;
        if (this.#text.startsWith('$((', this.#at)) this.#skipArithmetic();
        else if (this.#text.startsWith('$(', this.#at)) this.#substitute(2, ')');
      } else if (!open) text += char;
    }
    return { text, open, ...(anywhere ? { anywhere } : {}) };
  }

  #inBackticks = false;

  /** What runs inside a word is read like a subshell; `#at` stays on what closes it. */
  #substitute(length: number, close: ')' | '`'): void {
    this.#at += length;
    const before = this.#inBackticks;
    this.#inBackticks = close === '`';
    const { inside } = this.#draft;
    inside.push({ words: [], redirects: [], inside: this.read(close) });
    this.#inBackticks = before;
    this.#at--;
  }

  /** `$((...))` runs nothing, unless something in it does. */
  #skipArithmetic(): void {
    const end = this.#text.indexOf('))', this.#at);
    if (end === -1 || this.#text.slice(this.#at + 3, end).includes('$(')) this.hidden = true;
    this.#at = end === -1 ? this.#text.length : end + 1;
  }

  #begin(): void {
    this.#draft = { words: [], redirects: [], inside: [] };
  }

  #end(commands: SimpleCommand[]): void {
    const { words, redirects, inside } = this.#draft;
    commands.push(...inside);
    if (words.length + redirects.length > 0) commands.push({ words, redirects });
    this.#begin();
  }
}

/** Operators and redirections are shorter. */
const HEAD = 16;

export function readScript(text: string): Script {
  const reader = new Reader(text);
  const commands = reader.read('');
  return { commands, hidden: reader.hidden };
}
