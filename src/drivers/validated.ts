/**
 * Digests of access policies that were found valid, kept from start to start: validating them takes longer than all the
 * rest of a start, and the answer for the same text is the same. A file that is not there, or cannot be written, costs
 * only that time.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { LIMITS } from './limits.ts';

export class ValidatedFile {
  readonly #path: string;
  #digests: readonly string[];

  constructor(path: string) {
    this.#path = path;
    this.#digests = readDigests(path);
  }

  has(digest: string): boolean {
    return this.#digests.includes(digest);
  }

  add(digest: string): void {
    this.#digests = [...this.#digests, digest].slice(-LIMITS.validatedTexts.value);
    try {
      writeFileSync(this.#path, this.#digests.join('\n'), { mode: 0o600 });
    } catch {
      // The next start validates again.
    }
  }
}

function readDigests(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}
