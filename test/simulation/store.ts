/**
 * The store of one life of the kernel: the faulty store in memory, slower, and silent once the kernel is dead - a dead
 * process learns nothing, so its promises stay open for ever. It shows every batch to the oracle's views.
 */
import type { MemoryStore } from '../../src/db/memory/store.ts';
import type {
  Batch,
  EntryQuery,
  PruneRule,
  RangeQuery,
  Row,
  Store,
  Table,
  Value,
} from '../../src/db/store.ts';
import type { Line } from './time.ts';
import type { Views, Write } from './views.ts';

export interface Delays {
  /** From the disk to the kernel's knowledge of it, ms. */
  ackMs(): number;
  readMs(): number;
}

export interface Observer {
  /** In the order of the calls, before anything else happens. */
  queued(write: Write): void;
  /** The kernel learns that the batch is on the disk. */
  told(write: Write): void;
}

export class LifeStore implements Store {
  readonly #inner: MemoryStore;
  readonly #line: Line;
  readonly #views: Views;
  readonly #delays: Delays;
  readonly #observer: Observer;
  readonly #acksEarly: boolean;
  #acks: Promise<void> = Promise.resolve();
  #dead = false;

  constructor(options: {
    inner: MemoryStore;
    line: Line;
    views: Views;
    delays: Delays;
    observer: Observer;
    /** Sabotage: says yes before the batch is on the disk. */
    acksEarly: boolean;
  }) {
    this.#inner = options.inner;
    this.#line = options.line;
    this.#views = options.views;
    this.#delays = options.delays;
    this.#observer = options.observer;
    this.#acksEarly = options.acksEarly;
  }

  die(): void {
    this.#dead = true;
  }

  commit(batch: Batch): Promise<void> {
    if (this.#dead) return never();
    const write = this.#views.queue(batch);
    this.#observer.queued(write);
    const done = this.#inner.commit(batch);
    const delayMs = this.#delays.ackMs();
    const ack = this.#acks.then(async () => {
      if (!this.#acksEarly) await done;
      await this.#line.pause(delayMs);
    });
    done.catch(() => {});
    this.#acks = ack.catch(() => {});
    return this.#alive(
      ack.then(() => {
        if (this.#dead) return;
        this.#views.tell(write);
        this.#observer.told(write);
      }),
    );
  }

  get<R extends Row>(table: Table<R>, key: readonly Value[]): Promise<R | undefined> {
    return this.#read(() => this.#inner.get(table, key));
  }

  range<R extends Row>(table: Table<R>, query: RangeQuery): Promise<R[]> {
    return this.#read(() => this.#inner.range(table, query));
  }

  entries(query: EntryQuery) {
    return this.#read(() => this.#inner.entries(query));
  }

  blob(owner: string, hash: string): Promise<Uint8Array | undefined> {
    return this.#read(() => this.#inner.blob(owner, hash));
  }

  prune(rule: PruneRule) {
    return this.#alive(this.#inner.prune(rule));
  }

  scrub() {
    return this.#alive(this.#inner.scrub());
  }

  sizes() {
    return this.#alive(this.#inner.sizes());
  }

  check() {
    return this.#alive(this.#inner.check());
  }

  stats() {
    return this.#alive(this.#inner.stats());
  }

  backup(): Promise<void> {
    return this.#inner.backup();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #read<T>(ask: () => Promise<T>): Promise<T> {
    return this.#alive(this.#line.pause(this.#delays.readMs()).then(ask));
  }

  #alive<T>(result: Promise<T>): Promise<T> {
    const keep = <V>(value: V): V | Promise<never> => (this.#dead ? never() : value);
    return result.then(keep, (error: unknown) => (this.#dead ? never() : Promise.reject(error)));
  }
}

const never = (): Promise<never> => new Promise(() => {});
