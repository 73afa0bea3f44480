/**
 * Texts of two parts that are asked for again and again: the same string each time, since a map finds one that was made anew
 * ten times slower. Bounded: beyond `limit` of them all are made anew.
 */
export class Joined {
  readonly #limit: number;
  readonly #known = new Map<string, Map<string, string>>();
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The two with a space between them. */
  of(first: string, second: string): string {
    return this.#known.get(first)?.get(second) ?? this.#join(first, second);
  }

  #join(first: string, second: string): string {
    if (this.#count === this.#limit) {
      this.#known.clear();
      this.#count = 0;
    }
    this.#count++;
    const text = `${first} ${second}`;
    const others = this.#known.get(first) ?? new Map<string, string>();
    this.#known.set(first, others.set(second, text));
    return text;
  }
}
