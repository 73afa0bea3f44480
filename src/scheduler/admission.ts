/**
 * How much active turns may want of the cache of a backend that does not say what it holds, learned from what its answers
 * report: a window on the contexts of active turns, in tokens, that grows by one context for each window of calls whose
 * prefix was found, and shrinks by a tenth for each whose was lost (additive increase, multiplicative decrease: Chiu and
 * Jain, 1989; for agents: CONCUR, 2026). Invariant: a prefix that was found proves that as much was held as was used since
 * its last use, so the window is never below that. It holds nobody back itself: what a window means is its user's word.
 */
import { threadOf } from './attained.ts';
import { LIMITS } from './limits.ts';
import type { PolicyCall, Used } from './policy.ts';

interface Asked {
  /** Tokens of the conversation that were there after its last call. */
  readonly tokens: number;
  /** Of all contexts that were used since, its own included: so much a cache must hold to have it still. */
  readonly distance: number;
}

export class Admission {
  /** Contexts of turns that are not over, in tokens; the least recently started first. */
  readonly #contexts = new Map<string, number>();
  readonly #asked = new Map<string, Asked>();
  #tokens = 0;
  #window = Number.POSITIVE_INFINITY;
  /** Which share of the prefixes was found lately; undefined until an answer reported a cached token. */
  #found: number | undefined;

  /** Turns that are not over, and the tokens of their contexts. */
  get active(): { readonly turns: number; readonly tokens: number } {
    return { turns: this.#contexts.size, tokens: this.#tokens };
  }

  /** Which share of the prefixes was found lately; undefined: the backend reports none. */
  get found(): number | undefined {
    return this.#found;
  }

  /** Tokens; without bound while nothing was lost, and where so much is lost that there is nothing to protect. */
  get window(): number {
    const isLost = (this.#found ?? 1) < LIMITS.worthKeeping.value / 100;
    return isLost ? Number.POSITIVE_INFINITY : this.#window;
  }

  started(call: PolicyCall): void {
    const id = threadOf(call);
    const tokens = this.#contexts.get(id);
    if (tokens !== undefined) this.#asked.set(call.call, { tokens, distance: this.#since(id) });
    this.#put(id, call.inTokens + call.outTokens);
    const oldest = this.#contexts.keys().next().value;
    if (this.#contexts.size > LIMITS.openTurns.value && oldest !== undefined) this.#drop(oldest);
  }

  ended(call: PolicyCall, used: Used | undefined): void {
    const asked = this.#asked.get(call.call);
    this.#asked.delete(call.call);
    const id = threadOf(call);
    if (used?.endsTurn || call.turn === undefined) this.#drop(id);
    else if (used) this.#change(id, used.input + used.cached + used.output);
    if (!used || !asked) return;
    if (this.#found === undefined && used.cached === 0) return;
    const share = Math.min(1, used.cached / Math.min(asked.tokens, used.input + used.cached));
    this.#found = (this.#found ?? 1) + 0.05 * (share - (this.#found ?? 1));
    if (share < 0.5) this.#lost(asked);
    else if (Number.isFinite(this.#window)) this.#kept(asked);
  }

  #lost({ distance }: Asked): void {
    const least = Math.min(distance, this.#window);
    this.#window = Math.max(least, 0.9 * Math.min(this.#window, this.#tokens));
  }

  #kept({ tokens, distance }: Asked): void {
    this.#window = Math.max(this.#window + tokens ** 2 / this.#window, distance);
  }

  #since(id: string): number {
    let distance = 0;
    let isSince = false;
    for (const [other, tokens] of this.#contexts) {
      isSince ||= other === id;
      if (isSince) distance += tokens;
    }
    return distance;
  }

  #put(id: string, tokens: number): void {
    this.#drop(id);
    this.#contexts.set(id, tokens);
    this.#tokens += tokens;
  }

  #change(id: string, tokens: number): void {
    const old = this.#contexts.get(id);
    if (old === undefined) return;
    this.#contexts.set(id, tokens);
    this.#tokens += tokens - old;
  }

  #drop(id: string): void {
    this.#tokens -= this.#contexts.get(id) ?? 0;
    this.#contexts.delete(id);
  }
}
