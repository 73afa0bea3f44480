/**
 * What resources of a tool server held, for as long as it said itself that they hold it (2026-07-28, caching). Invariant:
 * nothing is given out that a call, a notice of change or a login may have made old since, nor to another agent what its
 * server calls private.
 */
import type { Clock } from '../../base/clock.ts';
import type { JsonRecord } from '../../base/json.ts';
import { Recent } from '../../base/recent.ts';
import { LIMITS } from '../limits.ts';

interface Kept {
  readonly result: JsonRecord;
  readonly until: number;
}

export class Reads {
  readonly #clock: Clock;
  readonly #kept = new Recent<string, Kept>(LIMITS.toolReads.value);
  #changes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** As its server said it, good for as long as is left. */
  find(uri: string, who: string): JsonRecord | undefined {
    const found = this.#kept.get(keyOf(uri, who)) ?? this.#kept.get(keyOf(uri, undefined));
    const ttlMs = (found?.until ?? 0) - this.#clock.now();
    return found && ttlMs > 0 ? { ...found.result, ttlMs } : undefined;
  }

  /** To be called when a read goes out: what keeps its result, unless something has changed meanwhile. */
  reading(uri: string, who: string): (result: JsonRecord) => void {
    const [before, sentAt] = [this.#changes, this.#clock.now()];
    return (result) => {
      const { ttlMs, cacheScope, resultType = 'complete' } = result;
      if (this.#changes !== before || typeof ttlMs !== 'number' || ttlMs <= 0 || resultType !== 'complete')
        return;
      if (JSON.stringify(result).length > LIMITS.toolReadCharacters.value) return;
      const key = keyOf(uri, cacheScope === 'public' ? undefined : who);
      this.#kept.set(key, { result, until: sentAt + ttlMs });
    };
  }

  /** Any of them may hold something else now. */
  drop(): void {
    this.#changes++;
    this.#kept.clear();
  }
}

/** Whose it is: one agent's, or everybody's. */
const keyOf = (uri: string, who: string | undefined): string => JSON.stringify([uri, who ?? null]);
