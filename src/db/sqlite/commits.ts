/**
 * Commits on their way: gathered, made durable by one write to the redo log, acknowledged, and put into the database by
 * the writer when somebody reads what they wrote, when half of the log is full, or after a moment.
 * Invariant: batches become durable in the order of the calls; after one failure nothing more is accepted.
 */
import { assert } from '../../base/assert.ts';
import { LIMITS } from '../limits.ts';
import { type Batch, StoreError, type Table } from '../store.ts';
import type { Channel } from './channel.ts';
import { storeError } from './failure.ts';
import { type Prepared, prepare } from './group.ts';
import { whyGone } from './open.ts';
import { HALF_BYTES, recordBytes } from './redo.ts';
import type { RedoLog } from './redolog.ts';
import type { Command } from './writer.ts';

interface Waiter {
  readonly batch: Prepared;
  readonly isAlone: boolean;
  resolve(): void;
  reject(error: StoreError): void;
}
type Wish = Pick<Waiter, 'resolve' | 'reject'>;

export interface CommitsOptions {
  readonly directory: string;
  readonly tables: readonly Table[];
  readonly inode: number;
  onFatal?(error: StoreError): void;
  onCommit?(tookMs: number, batches: number): void;
}

export class Commits {
  readonly #options: CommitsOptions;
  readonly #declared: ReadonlySet<string>;
  readonly #log: RedoLog;
  readonly #writer: Channel;
  #queue: Waiter[] = [];
  #writing: readonly Waiter[] = [];
  #wipes: Wish[] = [];
  #isPumping = false;
  /** It begins later in this turn. */
  #soon: NodeJS.Immediate | undefined;
  /** The last write was of several batches: others are on their way with this one, too. */
  #isCrowded = false;
  /** What the last write took. */
  #lastMs = Number.POSITIVE_INFINITY;
  #drained: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;
  #dead: StoreError | undefined;
  #failed = false;
  /** Of each log, the entry that was handed over last. */
  readonly #seqs = new Map<number, number>();
  /** What is applied together has a number; by table, that of the last which wrote to it. */
  readonly #wrote = new Map<string, number>();
  #round = 1;
  #appliedRound = 0;
  #applied: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** Writes to the log, and batches that travelled in them. */
  commits = 0;
  batches = 0;

  constructor(options: CommitsOptions, log: RedoLog, writer: Channel) {
    this.#options = options;
    this.#declared = new Set(['entry', 'blob', ...options.tables.map((table) => table.name)]);
    this.#log = log;
    this.#writer = writer;
  }

  async commit(batch: Batch): Promise<void> {
    if (this.#dead) throw this.#dead;
    const prepared = prepare(batch);
    for (const table of prepared.tables)
      if (!this.#declared.has(table)) assert(false, `table ${table} is not declared in db/schema`);
    const done = new Promise<void>((resolve, reject) =>
      this.#queue.push({ batch: prepared, isAlone: batch.isAlone ?? false, resolve, reject }),
    );
    if (this.#queue.length > LIMITS.queuedBatches.value) {
      const message = `more than ${LIMITS.queuedBatches.value} batches wait to be written`;
      this.fail(new StoreError('failed', message, 'the disk cannot keep up: check it, then mezz up'));
    }
    this.#holdOrder(batch);
    // In a crowd all that arrives in this turn of the event loop shares the first write.
    if (!batch.canWait && !this.#isCrowded) this.#pump();
    else if (!this.#isPumping) this.#soon ??= setImmediate(() => this.#pump());
    await done;
  }

  /** What the database would refuse only when the batch is long acknowledged is refused now. */
  #holdOrder({ entries = [] }: Batch): void {
    for (const { log, seq } of entries) {
      if (seq <= (this.#seqs.get(log) ?? -1)) {
        const message = `entry ${seq} of log ${log} is there already`;
        return this.fail(new StoreError('failed', message, 'see the log; mezz fsck checks the store'));
      }
      this.#seqs.set(log, seq);
    }
  }

  /** Throws what made the store unusable. */
  assertAlive(): void {
    if (this.#dead) throw this.#dead;
  }

  /** Resolves when the database holds all that was acknowledged to these tables; or to any. */
  async settled(tables?: readonly string[]): Promise<void> {
    if (tables?.every((table) => (this.#wrote.get(table) ?? 0) <= this.#appliedRound)) return;
    await this.#apply();
  }

  /** Leaves nothing in the log: all of it goes to the database first. */
  wipe(): Promise<void> {
    this.assertAlive();
    const done = new Promise<void>((resolve, reject) => this.#wipes.push({ resolve, reject }));
    this.#pump();
    return done;
  }

  /** Batches handed over before are still written; later ones are refused. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#dead ??= new StoreError('failed', 'the store is closed', 'open it again');
    this.#pump();
    await this.#drained;
    // What cannot be applied now is when the store is opened again.
    await this.#apply().catch(() => {});
    clearTimeout(this.#timer);
    this.#log.close();
  }

  /** The end: every open and every later commit rejects with this error. */
  fail(error: StoreError): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#dead = error;
    for (const { reject } of [...this.#writing, ...this.#queue, ...this.#wipes]) reject(error);
    this.#queue = [];
    this.#wipes = [];
    this.#options.onFatal?.(error);
  }

  #pump(): void {
    clearImmediate(this.#soon);
    this.#soon = undefined;
    if (this.#isPumping) return;
    this.#isPumping = true;
    this.#drained = this.#pumpAll();
  }

  async #pumpAll(): Promise<void> {
    while (this.#queue.length > 0 || this.#wipes.length > 0) {
      try {
        if (this.#wipes.length > 0) await this.#wipeLog();
        else if (!(await this.#storeSome())) await this.#makeRoom();
      } catch (error) {
        this.fail(storeError(error));
      }
      this.#writing = [];
    }
    this.#isPumping = false;
  }

  /** False where the next batch does not fit. */
  async #storeSome(): Promise<boolean> {
    let count = 0;
    for (const { batch } of this.#queue) {
      if (count === LIMITS.batchesPerCommit.value || !this.#log.add(batch.text, batch.pieces)) break;
      count++;
    }
    if (count === 0) return false;
    const waiters = this.#take(count);
    this.#isCrowded = count > 1;
    const began = performance.now();
    const isWaitedFor = this.#mayWait(waiters);
    const stored = isWaitedFor ? this.#log.storeNow() : this.#log.store();
    // While the disk is busy: a name that goes after this look takes with it all that was acknowledged before, too.
    const gone = whyGone(this.#options, this.#options.directory);
    await stored;
    this.#lastMs = performance.now() - began;
    if (gone) throw gone;
    for (const { batch } of waiters) for (const table of batch.tables) this.#wrote.set(table, this.#round);
    this.#timer ??= setTimeout(() => void this.#apply().catch(() => {}), LIMITS.applyAfterMs.value).unref();
    await this.#acknowledge(waiters, began, isWaitedFor);
    return true;
  }

  /**
   * Handing a write to another thread and back takes longer than a quick disk. Nobody is held up by it: whoever came
   * meanwhile would need this disk first as well.
   */
  #mayWait(waiters: readonly Waiter[]): boolean {
    return this.#lastMs <= LIMITS.waitedForMs.value && waiters.every(({ isAlone }) => isAlone);
  }

  async #makeRoom(): Promise<void> {
    const { text, pieces } = (this.#queue[0] as Waiter).batch;
    if (recordBytes(text, pieces) <= HALF_BYTES) {
      // The other half: all of it was handed to the writer when it was full.
      await this.#applied;
      void this.#apply().catch(() => {});
      return this.#log.turn();
    }
    const waiters = this.#take(1);
    const began = performance.now();
    await this.#apply();
    const record = { number: this.#log.skip(), text, bytes: Buffer.concat(pieces) };
    await this.#ask({ do: 'put', record });
    const gone = whyGone(this.#options, this.#options.directory);
    if (gone) throw gone;
    await this.#acknowledge(waiters, began);
  }

  #take(count: number): readonly Waiter[] {
    this.#writing = this.#queue.splice(0, count);
    return this.#writing;
  }

  /** A part at a time: whoever waited goes on at once, and a thousand of them would hold up everything else meanwhile. */
  async #acknowledge(waiters: readonly Waiter[], began: number, isWaitedFor = false): Promise<void> {
    this.commits++;
    this.batches += waiters.length;
    for (const [i, waiter] of waiters.entries()) {
      waiter.resolve();
      if (i % LIMITS.acknowledgedAtOnce.value === LIMITS.acknowledgedAtOnce.value - 1)
        await new Promise((resolve) => setImmediate(resolve));
    }
    const tookMs = performance.now() - began;
    // Whoever goes on now and has something to store soon shares the next write.
    if (!isWaitedFor) await new Promise((resolve) => setImmediate(resolve));
    this.#options.onCommit?.(tookMs, waiters.length);
  }

  async #wipeLog(): Promise<void> {
    // Where `fail` finds them until they are fulfilled.
    const count = this.#wipes.length;
    await this.#apply();
    await this.#log.wipe();
    for (const { resolve } of this.#wipes.splice(0, count)) resolve();
  }

  /** Hands the writer what is in the log alone. Resolves when the database holds all that was handed to it. */
  #apply(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const span = this.#log.take();
    if (span.from === span.to) return this.#applied;
    const round = this.#round++;
    this.#applied = this.#ask({ do: 'apply', span }).then(() => {
      this.#appliedRound = round;
    });
    // Whoever waits for it is told as well.
    this.#applied.catch((error: unknown) => this.fail(storeError(error)));
    return this.#applied;
  }

  async #ask(command: Order): Promise<void> {
    await this.#writer.ask({ ...command });
  }
}

type Order = Command extends infer C ? (C extends { readonly id: number } ? Omit<C, 'id'> : never) : never;
