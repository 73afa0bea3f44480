/**
 * shell/ reads what a shell command touches, conservatively: what it cannot read is a guess about the whole checkout, never
 * nothing. It runs nothing, expands nothing and looks at no file. This file splits text into commands and words
 * (POSIX shell command language, 2.2 quoting, 2.7 redirection), as far as text alone tells.
 */

export interface Word {
  readonly text: string;
  /** The word is more than its text: a variable, a substitution or a pattern; `text` is what stands before it. */
  readonly open: boolean;
}

export interface Redirect {
  readonly to: Word;
  readonly how: 'replace' | 'append' | 'read';
}

export interface SimpleCommand {
  readonly words: readonly Word[];
  readonly redirects: readonly Redirect[];
}

export interface Script {
  readonly commands: readonly SimpleCommand[];
  /** Part of it runs something that its text does not show: a substitution, a function, a loop over a pattern. */
  readonly hidden: boolean;
}

const OPERATOR = /^(?:&&|\|\||;;|[;|&()\n])/;
const REDIRECT = /^(?:\d*|&)(>>|>\||>&|>|<<<|<<-?|<&|<>|<)/;
const OPEN = new Set(['$', '`', '*', '?', '[', '{']);

class Reader {
  readonly commands: SimpleCommand[] = [];
  hidden = false;
  #text: string;
  #at = 0;
  #words: Word[] = [];
  #redirects: Redirect[] = [];
  #heredocs: string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  read(): void {
    while (this.#at < this.#text.length) {
      const rest = this.#text.slice(this.#at);
      const operator = OPERATOR.exec(rest);
      const redirect = REDIRECT.exec(rest);
      if (/^[^\S\n]/.test(rest)) this.#at++;
      else if (rest.startsWith('\\\n')) this.#at += 2;
      else if (rest.startsWith('#')) this.#at += /^[^\n]*/.exec(rest)?.[0].length ?? 1;
      else if (redirect) this.#redirect(redirect);
      else if (operator) this.#operator(operator[0]);
      else this.#words.push(this.#word());
    }
    this.#end();
  }

  #operator(operator: string): void {
    this.#end();
    this.#at += operator.length;
    if (operator !== '\n') return;
    for (const mark of this.#heredocs.splice(0)) this.#skipHeredoc(mark);
  }

  #skipHeredoc(mark: string): void {
    const lines = this.#text.slice(this.#at).split('\n');
    const end = lines.findIndex((line) => line.replace(/^\t+/, '') === mark);
    const body = end === -1 ? lines : lines.slice(0, end + 1);
    this.#at += body.join('\n').length + (end === -1 ? 0 : 1);
  }

  #redirect([whole, operator]: RegExpExecArray): void {
    this.#at += whole.length;
    while (/[ \t]/.test(this.#text[this.#at] ?? '')) this.#at++;
    const to = this.#word();
    if (operator === '<<' || operator === '<<-') this.#heredocs.push(to.text);
    else if (operator === '>' || operator === '>|') this.#redirects.push({ to, how: 'replace' });
    else if (operator === '>>' || operator === '<>') this.#redirects.push({ to, how: 'append' });
    else if (operator === '<') this.#redirects.push({ to, how: 'read' });
    else if (operator === '>&' && !/^(?:\d|-)/.test(to.text)) this.#redirects.push({ to, how: 'replace' });
  }

  #word(): Word {
    let text = '';
    let open = false;
    let quote = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] as string;
      if (quote === '' && /[\s;|&()<>]/.test(char)) break;
      if (quote === '' && (char === "'" || char === '"')) quote = char;
      else if (char === quote) quote = '';
      else if (char === '\\' && quote !== "'") {
        this.#at++;
        if (!open) text += this.#text[this.#at] ?? '';
      } else if (quote !== "'" && OPEN.has(char) && (quote === '' || char === '$' || char === '`')) {
        if (char === '`' || this.#text.startsWith('$(', this.#at)) this.hidden = true;
        open = true;
        if (this.#text.startsWith('$(', this.#at)) this.#skipSubstitution();
      } else if (!open) text += char;
    }
    return { text, open };
  }

  /** To the parenthesis that closes `$(`; what is inside runs, and is not read. */
  #skipSubstitution(): void {
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      if (this.#text[this.#at] === '(') depth++;
      else if (this.#text[this.#at] === ')' && --depth === 0) return;
    }
  }

  #end(): void {
    if (this.#words.length + this.#redirects.length === 0) return;
    this.commands.push({ words: this.#words, redirects: this.#redirects });
    this.#words = [];
    this.#redirects = [];
  }
}

export function readScript(text: string): Script {
  const reader = new Reader(text);
  reader.read();
  return { commands: reader.commands, hidden: reader.hidden };
}
