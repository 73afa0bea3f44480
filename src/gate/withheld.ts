import type { ResponseSink, TransformName } from '../base/model.ts';
import { LIMITS } from './limits.ts';

/** Stands in for the client while an answer is held: keeps its head and bytes, at most `LIMITS.heldBytes` of them. */
export class Withheld implements ResponseSink {
  readonly #pieces: Buffer[] = [];
  readonly #full = new AbortController();
  #bytes = 0;
  #head: { readonly status: number; readonly headers: readonly string[] } | undefined;
  transforms: readonly TransformName[] = [];
  losses: readonly string[] = [];

  /** Aborted when the answer outgrew its bound. */
  get full(): AbortSignal {
    return this.#full.signal;
  }

  transformed(names: readonly TransformName[], losses: readonly string[]): void {
    this.transforms = names;
    this.losses = losses;
  }

  /** Whoever made it keeps the client informed. */
  waits(): void {}

  head(status: number, headers: readonly string[]): void {
    this.#head = { status, headers };
  }

  write(bytes: Uint8Array): boolean {
    this.#bytes += bytes.length;
    if (this.#bytes > LIMITS.heldBytes.value) this.#full.abort();
    // Copied: the memory of what passes belongs to the connection.
    else this.#pieces.push(Buffer.from(bytes));
    return true;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  /** The whole answer, of which the driver kept `tail`. */
  answer(tail: Uint8Array): Buffer {
    return Buffer.concat([...this.#pieces, tail]);
  }

  /** Lets go what was written; the tail goes the way of every tail. */
  release(client: ResponseSink): void {
    if (!this.#head) return;
    client.head(this.#head.status, this.#head.headers);
    if (this.#bytes > 0) client.write(Buffer.concat(this.#pieces));
  }
}
