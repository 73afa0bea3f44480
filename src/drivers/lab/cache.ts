import { sha256Hex } from '../../base/hash.ts';
import type { NeutralRequest } from '../../wire/neutral.ts';
import { messageText, tokensOf } from './model.ts';

/** One step of a conversation: its id holds everything before it. */
interface Step {
  readonly id: string;
  readonly tokens: number;
}

/** Remembers prefixes of conversations up to so many tokens; what was used least recently goes first. */
export class PrefixCache {
  readonly #capacity: number;
  readonly #steps = new Map<string, number>();
  #held = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Tokens of the request, and how many of them lie in the longest prefix that is remembered. Remembers it all. */
  read(request: NeutralRequest): { readonly tokens: number; readonly cached: number } {
    const steps = stepsOf(request);
    let cached = 0;
    let warm = true;
    for (const { id, tokens } of steps) {
      warm &&= this.#steps.has(id);
      if (warm) cached += tokens;
      this.#keep(id, tokens);
    }
    this.#evict();
    return { tokens: steps.reduce((sum, step) => sum + step.tokens, 0), cached };
  }

  #keep(id: string, tokens: number): void {
    if (!this.#steps.delete(id)) this.#held += tokens;
    this.#steps.set(id, tokens);
  }

  #evict(): void {
    for (const [id, tokens] of this.#steps) {
      if (this.#held <= this.#capacity) return;
      this.#steps.delete(id);
      this.#held -= tokens;
    }
  }
}

function stepsOf(request: NeutralRequest): Step[] {
  const texts = [JSON.stringify(request.tools), ...request.messages.map(messageText)];
  let before = '';
  return texts.map((text) => {
    before = sha256Hex(before + text);
    return { id: before, tokens: tokensOf(text) };
  });
}
