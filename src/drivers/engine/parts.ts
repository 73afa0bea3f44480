/** The parts of an answer while it is written: text, reasoning and calls open, grow and close in order. */
import type { NeutralEvent, OpenPart } from '../../wire/neutral.ts';

export class Parts {
  readonly #emit: (event: NeutralEvent) => void;
  #index = -1;
  #open: 'text' | 'reasoning' | undefined;

  constructor(emit: (event: NeutralEvent) => void) {
    this.#emit = emit;
  }

  grow(kind: 'text' | 'reasoning', text: string): void {
    if (text === '') return;
    if (this.#open !== kind) {
      this.close();
      this.#begin({ kind });
      this.#open = kind;
    }
    this.#emit({ kind: 'delta', index: this.#index, text });
  }

  /** A call is whole or it is not there. */
  call(part: Extract<OpenPart, { kind: 'call' }>, input: string): void {
    this.close();
    this.#begin(part);
    this.#emit({ kind: 'delta', index: this.#index, text: input });
    this.#emit({ kind: 'close', index: this.#index });
  }

  close(): void {
    if (this.#open === undefined) return;
    this.#open = undefined;
    this.#emit({ kind: 'close', index: this.#index });
  }

  #begin(part: OpenPart): void {
    this.#index++;
    this.#emit({ kind: 'open', index: this.#index, part });
  }
}
