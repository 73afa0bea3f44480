/**
 * What a backend's cache of prefixes holds, as far as can be told from outside: the conversations used last, up to its
 * size. Invariant: a conversation of which a call runs is held. It is a model: an engine may keep more, or less.
 */

import { threadOf } from './attained.ts';
import { LIMITS } from './limits.ts';
import type { PolicyCall } from './policy.ts';

interface Held {
  readonly call: PolicyCall;
  readonly tokens: number;
  readonly running: number;
  readonly usedAt: number;
}

export class CacheModel {
  /** Least recently started first. */
  readonly #held = new Map<string, Held>();
  /** Those used lately, or running: least recently used first. */
  readonly #hot = new Map<string, Held>();
  #size: number | undefined;
  #tokens = 0;
  #hotTokens = 0;

  /** `size` in tokens; undefined where it is unknown. */
  constructor(size: number | undefined) {
    this.#size = size;
  }

  get size(): number | undefined {
    return this.#size;
  }

  /** Conversations held, and their tokens. */
  get held(): { readonly turns: number; readonly tokens: number } {
    return { turns: this.#held.size, tokens: this.#tokens };
  }

  /** It holds less, or more, than was thought; without bound: that is unknown. The turns whose prefix is gone. */
  resize(size: number): PolicyCall[] {
    this.#size = Number.isFinite(size) ? size : undefined;
    return this.#shrink();
  }

  get #room(): number {
    return this.#size ?? Number.POSITIVE_INFINITY;
  }

  /** A call started: its context is held now. The turns whose prefix made room for it. */
  started(call: PolicyCall, now: number): PolicyCall[] {
    const id = threadOf(call);
    const old = this.#held.get(id);
    const tokens = call.inTokens + call.outTokens;
    this.#put(id, { call, tokens, running: (old?.running ?? 0) + 1, usedAt: now });
    return this.#shrink();
  }

  /** A call ended; `tokens` is the length of its conversation now, if that is known. */
  ended(call: PolicyCall, now: number, tokens: number | undefined, isOver: boolean): PolicyCall[] {
    const id = threadOf(call);
    const old = this.#held.get(id);
    if (!old) return [];
    const running = Math.max(0, old.running - 1);
    if (isOver && running === 0) this.#drop(id, old);
    else this.#update(id, { call: old.call, tokens: tokens ?? old.tokens, running, usedAt: now });
    return this.#shrink();
  }

  holds(call: PolicyCall): boolean {
    return this.#held.has(threadOf(call));
  }

  /** Is the call's prefix held, or is there room for it beside all that will soon be wanted again? */
  fits(call: PolicyCall, now: number): boolean {
    if (this.holds(call)) return true;
    return this.#hotAt(now) + call.inTokens <= this.#room;
  }

  #hotAt(now: number): number {
    for (const [id, held] of this.#hot) {
      if (held.usedAt + LIMITS.hotMs.value > now) break;
      if (held.running > 0) this.#update(id, { ...held, usedAt: now });
      else this.#cool(id, held);
    }
    return this.#hotTokens;
  }

  #put(id: string, held: Held): void {
    const old = this.#held.get(id);
    if (old) this.#drop(id, old);
    this.#held.set(id, held);
    this.#tokens += held.tokens;
    this.#hot.set(id, held);
    this.#hotTokens += held.tokens;
  }

  /** Changes an entry where it stands; it counts as used just now. */
  #update(id: string, held: Held): void {
    const old = this.#held.get(id);
    if (!old) return;
    this.#held.set(id, held);
    this.#tokens += held.tokens - old.tokens;
    this.#cool(id, old);
    this.#hot.set(id, held);
    this.#hotTokens += held.tokens;
  }

  #cool(id: string, held: Held): void {
    if (this.#hot.delete(id)) this.#hotTokens -= held.tokens;
  }

  #drop(id: string, held: Held): void {
    if (this.#held.delete(id)) this.#tokens -= held.tokens;
    this.#cool(id, held);
  }

  #shrink(): PolicyCall[] {
    const gone: PolicyCall[] = [];
    for (const [id, held] of this.#held) {
      if (this.#tokens <= this.#room && this.#held.size <= LIMITS.cachedTurns.value) break;
      if (held.running > 0) continue;
      this.#drop(id, held);
      gone.push(held.call);
    }
    return gone;
  }
}
