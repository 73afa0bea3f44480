/**
 * What providers should have in their caches of prompts: the conversations that ended lately, by the id of their last
 * message. Hosted APIs keep a prefix for some minutes after its last use; whether one was found there is learned for each
 * limit, from nothing on.
 */
import { Recent } from '../base/recent.ts';
import { LIMITS } from './limits.ts';
import type { Used } from './quota.ts';

interface Prefix {
  readonly limit: string;
  readonly tokens: number;
  readonly usedAt: number;
}

export class Prefixes {
  readonly #heads = new Recent<string, Prefix>(LIMITS.prefixes.value);
  /** Which share of what was expected in a cache was found there, by limit. */
  readonly #hits = new Recent<string, number>(LIMITS.quotas.value);

  /** Tokens of a conversation that should be cached; `ids` are those of its messages, in order. */
  cached(limit: string, ids: readonly string[], now: number): number {
    const hits = this.#hits.get(limit) ?? 0;
    return hits === 0 ? 0 : Math.floor(this.#expected(limit, ids, now) * hits);
  }

  /** When a provider forgets what it has cached of a conversation; undefined where nothing of it should be. */
  expiresAt(limit: string, ids: readonly string[], now: number): number | undefined {
    if ((this.#hits.get(limit) ?? 0) === 0) return undefined;
    const prefix = this.#found(limit, ids, now);
    return prefix && prefix.usedAt + LIMITS.cacheTtlMs.value;
  }

  ended(limit: string, ids: readonly string[], used: Used, now: number): void {
    const expected = this.#expected(limit, ids, now);
    if (expected > 0) {
      const hit = Math.min(1, used.cached / expected);
      const old = this.#hits.get(limit) ?? 0;
      this.#hits.set(limit, old + 0.5 * (hit - old));
    }
    const last = ids.at(-1);
    if (last !== undefined) this.#heads.set(last, { limit, tokens: used.input, usedAt: now });
  }

  #expected(limit: string, ids: readonly string[], now: number): number {
    return this.#found(limit, ids, now)?.tokens ?? 0;
  }

  #found(limit: string, ids: readonly string[], now: number): Prefix | undefined {
    const head = ids.findLast((id) => this.#heads.has(id));
    const prefix = head === undefined ? undefined : this.#heads.get(head);
    if (!prefix || prefix.limit !== limit || prefix.usedAt + LIMITS.cacheTtlMs.value <= now) return undefined;
    return prefix;
  }
}
