/** The resources of one tool server whose changes agents want to hear of, counted, and who is told of changes. */
import type { ServerChange } from '../../base/ports.ts';

export class Watched {
  readonly #uris = new Map<string, number>();
  readonly #listeners = new Set<(change: ServerChange) => void>();

  get uris(): readonly string[] {
    return [...this.#uris.keys()];
  }

  enter(uri: string): void {
    this.#uris.set(uri, (this.#uris.get(uri) ?? 0) + 1);
  }

  /** Did the last one leave it? */
  leave(uri: string): boolean {
    const left = (this.#uris.get(uri) ?? 0) - 1;
    if (left > 0) this.#uris.set(uri, left);
    return left <= 0 && this.#uris.delete(uri);
  }

  listen(listener: (change: ServerChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(change: ServerChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}
