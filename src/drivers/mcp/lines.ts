/**
 * Text that comes in pieces, split into lines. Invariant: a line costs no more per character than a short one, however
 * long it is and whatever the pieces are: it is joined once, when it is whole.
 */
export class Lines {
  #held: string[] = [];
  #rest = 0;

  /** Characters of the line that is not whole yet. */
  get rest(): number {
    return this.#rest;
  }

  /** The lines that this piece ends, in order, without their ends. */
  push(text: string): string[] {
    const [first = '', ...more] = text.split('\n');
    this.#hold(first);
    return more.map((next) => {
      const line = this.#held.join('');
      this.clear();
      this.#hold(next);
      return line;
    });
  }

  clear(): void {
    this.#held = [];
    this.#rest = 0;
  }

  #hold(piece: string): void {
    this.#held.push(piece);
    this.#rest += piece.length;
  }
}
