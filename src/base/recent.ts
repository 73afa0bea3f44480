/**
 * A bounded memory of what was used lately, in two generations: when the young one is full it becomes the old one, and
 * what the old one held is forgotten, unless it was used meanwhile. Every operation costs the same however much is
 * remembered. (A Map that drops its first key for each new one does not: it walks over all places it has emptied.)
 */
export class Recent<K, V> {
  readonly #half: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /** At most `limit` values are remembered, and at least the half of it that was used last. */
  constructor(limit: number) {
    this.#half = Math.max(1, Math.floor(limit / 2));
  }

  /** The value, which counts as used now. */
  get(key: K): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) {
      this.#old.delete(key);
      this.set(key, old);
    }
    return old;
  }

  /** All that is remembered; that counts as no use. */
  *[Symbol.iterator](): Iterator<[K, V]> {
    yield* this.#old;
    yield* this.#young;
  }

  /** Is it remembered? Does not count as a use. */
  has(key: K): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#half && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
