/** Watches a text that grows for the marks of a chat template; holds back what may be the beginning of one. */
export interface Mark<K extends string> {
  readonly kind: K;
  readonly text: string;
}

export interface Seen<K extends string> {
  /** What is text whatever comes next. */
  readonly text: string;
  /** The first mark in it, and what came behind the mark. */
  readonly mark?: { readonly kind: K; readonly text: string; readonly behind: string };
}

export class Scanner<K extends string> {
  #held = '';

  /** Takes more of the text and looks for any of these marks. */
  push(more: string, marks: readonly Mark<K>[]): Seen<K> {
    this.#held += more;
    const found = firstOf(this.#held, marks);
    if (found) {
      const text = this.#held.slice(0, found.at);
      const behind = this.#held.slice(found.at + found.mark.text.length);
      this.#held = '';
      return { text, mark: { ...found.mark, behind } };
    }
    const from = this.#held.length - heldLength(this.#held, marks);
    const text = this.#held.slice(0, from);
    this.#held = this.#held.slice(from);
    return { text };
  }

  /** What was held back and began no mark. */
  rest(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }
}

function firstOf<K extends string>(text: string, marks: readonly Mark<K>[]) {
  let first: { at: number; mark: Mark<K> } | undefined;
  for (const mark of marks) {
    const at = mark.text === '' ? -1 : text.indexOf(mark.text);
    if (at >= 0 && (first === undefined || at < first.at)) first = { at, mark };
  }
  return first;
}

/** The longest end of the text that is a beginning of a mark. */
function heldLength(text: string, marks: readonly Mark<string>[]): number {
  let longest = 0;
  for (const mark of marks)
    for (let length = Math.min(mark.text.length - 1, text.length); length > longest; length--)
      if (text.endsWith(mark.text.slice(0, length))) longest = length;
  return longest;
}
