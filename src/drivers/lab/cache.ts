import { sha256Hex } from '../../base/hash.ts';
import type { NeutralRequest } from '../../wire/neutral.ts';
import { messageText, tokensOf } from './model.ts';

/** One step of a conversation: its id holds everything before it. */
interface Step {
  readonly id: string;
  readonly tokens: number;
}

interface Read {
  readonly tokens: number;
  readonly cached: number;
}

/** Remembers prefixes of conversations up to so many tokens; what was used least recently goes first. */
export class PrefixCache {
  readonly #capacity: number;
  readonly #steps = new Map<string, number>();
  #held = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Tokens of the request, and how many of them lie in the longest prefix that is remembered. */
  look(request: NeutralRequest): Read {
    return this.#look(stepsOf(request));
  }

  /** The same, and remembers it all. */
  read(request: NeutralRequest): Read {
    const steps = stepsOf(request);
    const found = this.#look(steps);
    for (const { id, tokens } of steps) this.#keep(id, tokens);
    this.#evict();
    return found;
  }

  #look(steps: readonly Step[]): Read {
    const cold = steps.findIndex(({ id }) => !this.#steps.has(id));
    const sum = (some: readonly Step[]) => some.reduce((total, step) => total + step.tokens, 0);
    return { tokens: sum(steps), cached: sum(cold === -1 ? steps : steps.slice(0, cold)) };
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
