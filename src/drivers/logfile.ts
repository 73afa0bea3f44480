/** A file of lines with a bound: when it is full it becomes `<path>.1`, which replaces the one before. */
import { copyFileSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { LIMITS } from './limits.ts';

/**
 * Appends to `path` (0600). The file is copied and emptied, not renamed: what a crash writes to a descriptor that was
 * opened before still lands in it. A disk that takes no more loses lines, never the kernel.
 */
export class LogFile {
  readonly #path: string;
  readonly #handle: number;
  readonly #maxBytes: number;

  constructor(path: string, maxBytes: number = LIMITS.logFileBytes.value) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#handle = openSync(path, 'a', 0o600);
  }

  write(line: string): void {
    try {
      if (fstatSync(this.#handle).size >= this.#maxBytes) {
        copyFileSync(this.#path, `${this.#path}.1`);
        ftruncateSync(this.#handle, 0);
      }
      writeSync(this.#handle, line);
    } catch {
      // A log that cannot be written must not end what it tells about.
    }
  }
}
