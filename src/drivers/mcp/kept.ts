/**
 * What is kept of the login at one tool server: a file of its own in the state directory that its user alone can read.
 * Invariant: a login is read only for the address at which it was made, so it never travels to another; the file is
 * always a whole one.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isRecord, parseJson } from '../../base/json.ts';

export interface KeptTokens {
  readonly access: string;
  readonly refresh?: string;
  /** The authorization server that gave them. */
  readonly issuer: string;
  readonly scope?: string;
  /** Wall time in ms. */
  readonly expiresAt?: number;
}

/** mezz as one authorization server knows it. */
export interface KeptClient {
  readonly issuer: string;
  readonly id: string;
  readonly secret?: string;
  /** How it proves that it has the secret, as the server wants it. */
  readonly method?: string;
  /** Where answers of the authorization server may go; absent where mezz did not register itself. */
  readonly redirect?: string;
}

export interface Kept {
  readonly client?: KeptClient;
  readonly tokens?: KeptTokens;
}

export class KeptLogin {
  readonly #path: string;
  readonly #url: string;
  #kept: Kept | undefined;

  constructor(path: string, url: string) {
    this.#path = path;
    this.#url = url;
  }

  get now(): Kept {
    this.#kept ??= this.#read();
    return this.#kept;
  }

  put(change: Kept): void {
    this.#kept = { ...this.now, ...change };
    const draft = `${this.#path}.new`;
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    rmSync(draft, { force: true });
    writeFileSync(draft, JSON.stringify({ url: this.#url, ...this.#kept }), { mode: 0o600, flush: true });
    renameSync(draft, this.#path);
  }

  /** It is spent. */
  dropRefresh(): void {
    const { refresh, ...tokens } = this.now.tokens ?? {};
    if (refresh !== undefined) this.put({ tokens: tokens as KeptTokens });
  }

  /** Without the tokens; the client stays registered. */
  dropTokens(): void {
    const { client } = this.now;
    this.#kept = {};
    this.put(client ? { client } : {});
  }

  dropClient(): void {
    const { tokens } = this.now;
    this.#kept = {};
    this.put(tokens ? { tokens } : {});
  }

  remove(): void {
    this.#kept = {};
    rmSync(this.#path, { force: true });
  }

  #read(): Kept {
    let text = '';
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch {
      // There is none.
    }
    const read = parseJson(text);
    // Written by this class alone, and by nobody half.
    return isRecord(read) && read.url === this.#url ? (read as unknown as Kept) : {};
  }
}
