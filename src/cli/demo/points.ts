/** Where agents meet: a point opens when so many of them have come. */
export class Points<P extends string> {
  readonly #needs: { readonly [K in P]: number };
  readonly #points = new Map<P, { readonly names: Set<string>; readonly all: Promise<void>; open(): void }>();

  constructor(needs: { readonly [K in P]: number }) {
    this.#needs = needs;
  }

  /** Resolves when all that it needs have come. */
  when(point: P): Promise<void> {
    return this.#at(point).all;
  }

  /** Has come. `whenAll` is called before anybody goes on, by who comes last. */
  reach(point: P, name: string, whenAll: () => void = () => {}): void {
    const { names, open } = this.#at(point);
    names.add(name);
    if (names.size !== this.#needs[point]) return;
    whenAll();
    open();
  }

  #at(point: P) {
    const known = this.#points.get(point);
    if (known) return known;
    const { promise, resolve } = Promise.withResolvers<void>();
    const made = { names: new Set<string>(), all: promise, open: resolve };
    this.#points.set(point, made);
    return made;
  }
}
