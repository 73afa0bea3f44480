/**
 * What was found of texts without a mistake, kept from start to start: access policies as their engine reads them, settings
 * that their schema admits. Reading and validating them takes longer than all the rest of a start, and the answer for the
 * same text is the same. Trusted as the compiled code is that lies beside it. A file that is not there, is damaged or cannot be written costs only that time.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { sha256Hex } from '../base/hash.ts';
import { LIMITS } from './limits.ts';

/** `T`: what is kept of a text, as JSON. */
export class ValidatedFile<T> {
  readonly #path: string;
  /** One a text, the latest last: its digest, that of what is kept, and this. */
  #lines: readonly string[];

  constructor(path: string) {
    this.#path = path;
    this.#lines = readLines(path);
  }

  get(digest: string): T | undefined {
    const line = this.#lines.findLast((one) => one.startsWith(`${digest} `));
    const [, sum = '', kept = ''] = /^\S+ (\S+) (.*)$/.exec(line ?? '') ?? [];
    return line !== undefined && sum === sha256Hex(kept) ? (JSON.parse(kept) as T) : undefined;
  }

  set(digest: string, value: T): void {
    const kept = JSON.stringify(value);
    this.#lines = latest([...this.#lines, `${digest} ${sha256Hex(kept)} ${kept}`]);
    const draft = `${this.#path}.${process.pid}`;
    try {
      writeFileSync(draft, this.#lines.join('\n'), { mode: 0o600 });
      renameSync(draft, this.#path);
    } catch {
      // The next start validates again.
    }
  }
}

/** Those that the bound has room for. */
function latest(lines: readonly string[]): readonly string[] {
  let room: number = LIMITS.validatedCharacters.value;
  const first = lines.findLastIndex((line) => {
    room -= line.length;
    return room < 0;
  });
  return lines.slice(first + 1);
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}
