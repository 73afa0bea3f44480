/**
 * The redo log as the main thread writes it: one synchronous write makes the batches of a commit durable, for a fraction
 * of what a transaction of the database costs. The writer puts them into the database later, out of the same memory.
 * Invariant: records leave in order, and nothing is overwritten that is not in the database (the caller sees to that
 * before `turn` and `wipe`).
 */
import { closeSync, constants, fsync, fsyncSync, openSync, write, writeSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { HALF_BYTES, REDO, recordBytes, type Span, writeRecord } from './redo.ts';

/** The disk is given whole ones of these, from memory that begins at one. */
const BLOCK_BYTES = 4096;

/** Elsewhere O_DSYNC has the system flush the disk; on macOS that takes a question of its own. */
const ASKS_FLUSH = process.platform === 'darwin';

export class RedoLog {
  readonly #file: number;
  readonly #memory: Buffer;
  readonly #epoch: number;
  #number = 0;
  /** Where the half begins that is written now, bytes from the beginning of the file, as all that follows. */
  #half = 0;
  /** Up to here: put together, on disk, and known to the writer. */
  #end = 0;
  #stored = 0;
  #told = 0;
  /** A block that changes while a disk takes it directly has a wrong checksum on file systems that keep one. */
  #isWriting = false;

  /** `memory` is what the writer found in the file; `epoch` is new. Throws what opening throws. */
  constructor(directory: string, memory: SharedArrayBuffer, epoch: number) {
    this.#memory = Buffer.from(memory);
    this.#file = openLog(join(directory, REDO), this.#memory);
    this.#epoch = epoch;
  }

  /** Puts a record behind the others, between two writes; false where this half has no room for it. */
  add(text: string, pieces: readonly Uint8Array[]): boolean {
    assert(!this.#isWriting, 'the redo log changes while it is written');
    if (this.#end + recordBytes(text, pieces) > this.#half + HALF_BYTES) return false;
    const mark = { epoch: this.#epoch, number: ++this.#number };
    this.#end = writeRecord(this.#memory, this.#end, mark, text, pieces);
    return true;
  }

  /** The number of a batch that no half has room for: it goes to the database itself. */
  skip(): number {
    return ++this.#number;
  }

  /** Resolves when all that was added is on disk. */
  async store(): Promise<void> {
    const to = this.#end;
    await this.#write(this.#stored, to);
    this.#stored = to;
  }

  /** The same; this thread waits. */
  storeNow(): void {
    const end = blocksOver(this.#end);
    for (let at = blocksIn(this.#stored); at < end; )
      at = next(at, writeSync(this.#file, this.#memory, at, end - at, at));
    if (ASKS_FLUSH) fsyncSync(this.#file);
    this.#stored = this.#end;
  }

  /** What is on disk and was not taken before. */
  take(): Span {
    const span = { from: this.#told, to: this.#stored };
    this.#told = this.#stored;
    return span;
  }

  /** Goes on in the other half. Only where all of this one was taken, and all of the other is in the database. */
  turn(): void {
    assert(this.#told === this.#end, 'the redo log turns before the writer was told of all');
    this.#begin(HALF_BYTES - this.#half);
  }

  /** Leaves nothing in the file. Only where all of it is in the database. */
  async wipe(): Promise<void> {
    assert(this.#told === this.#end, 'the redo log is wiped before the writer was told of all');
    assert(!this.#isWriting, 'the redo log is wiped while it is written');
    this.#memory.fill(0);
    await this.#write(0, this.#memory.length);
    this.#begin(0);
  }

  close(): void {
    closeSync(this.#file);
  }

  #begin(half: number): void {
    this.#half = half;
    this.#end = half;
    this.#stored = half;
    this.#told = half;
  }

  /** What lies in the same blocks before and behind is on disk already. */
  async #write(from: number, to: number): Promise<void> {
    this.#isWriting = true;
    const end = blocksOver(to);
    for (let at = blocksIn(from); at < end; ) at = next(at, await this.#writeSome(at, end));
    if (ASKS_FLUSH) await new Promise<void>((resolve, reject) => fsync(this.#file, settled(resolve, reject)));
    this.#isWriting = false;
  }

  #writeSome(from: number, to: number): Promise<number> {
    return new Promise((resolve, reject) =>
      write(this.#file, this.#memory, from, to - from, from, settled(resolve, reject)),
    );
  }
}

/**
 * Past the system's cache where the file system lets it, which saves a quarter of the time of a write. Whether it does is
 * tried with the first block, which the memory holds as the file does.
 */
function openLog(path: string, memory: Buffer): number {
  const { O_RDWR, O_DSYNC, O_DIRECT } = constants;
  let file: number | undefined;
  try {
    file = openSync(path, O_RDWR | O_DSYNC | O_DIRECT);
    writeSync(file, memory, 0, BLOCK_BYTES, 0);
    return file;
  } catch {
    if (file !== undefined) closeSync(file);
    return openSync(path, O_RDWR | O_DSYNC);
  }
}

const blocksIn = (bytes: number): number => bytes - (bytes % BLOCK_BYTES);
const blocksOver = (bytes: number): number => blocksIn(bytes + BLOCK_BYTES - 1);

/** Where a write goes on that took only a part. */
function next(at: number, written: number): number {
  assert(written >= BLOCK_BYTES, 'the disk took less than a block');
  return at + blocksIn(written);
}

const settled =
  <T>(resolve: (value: T) => void, reject: (error: unknown) => void) =>
  (error: unknown, value?: T): void =>
    error ? reject(error) : resolve(value as T);
