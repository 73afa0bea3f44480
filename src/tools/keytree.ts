/**
 * Keys by the key above them: what is below one is found without a look at all others, so a call costs the same however
 * many keys are known. Invariant: a key that is here hangs below each key that covers it, and nothing else does.
 */
export class KeyTree {
  readonly #keys = new Set<string>();
  /** Also of keys that are not here themselves, but have some below them. */
  readonly #children = new Map<string, Set<string>>();

  add(key: string): void {
    this.#keys.add(key);
    let at = key;
    for (let above = aboveOf(at); above !== undefined; above = aboveOf(at)) {
      const known = this.#children.get(above);
      if (known) return void known.add(at);
      this.#children.set(above, new Set([at]));
      at = above;
    }
  }

  delete(key: string): void {
    this.#keys.delete(key);
    let at = key;
    for (let above = aboveOf(at); above !== undefined; above = aboveOf(at)) {
      if (this.#keys.has(at) || this.#children.has(at)) return;
      const known = this.#children.get(above);
      known?.delete(at);
      if (known && known.size > 0) return;
      this.#children.delete(above);
      at = above;
    }
  }

  /** This one, where it is here, and all below it. */
  below(key: string): string[] {
    const found: string[] = [];
    // `file:/` covers what hangs at `file:`.
    const open = [key.endsWith('/') ? key.slice(0, -1) : key];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (this.#keys.has(at)) found.push(at);
      open.push(...(this.#children.get(at) ?? []));
    }
    return found;
  }
}

function aboveOf(key: string): string | undefined {
  const end = key.lastIndexOf('/');
  return end < 0 ? undefined : key.slice(0, end);
}
