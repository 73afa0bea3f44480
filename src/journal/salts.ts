import type { Random } from '../base/random.ts';
import { SALT } from '../db/schema/journal.ts';
import type { Batch, Store } from '../db/store.ts';
import { type Commit, commitUnder, newSalt } from './commitment.ts';
import { LIMITS } from './limits.ts';

/** One secret per owner, in memory while it exists. Erasing it unlinks every commitment made under it. */
export class Salts {
  readonly #random: Random;
  readonly #commits = new Map<string, Commit>();
  #fresh: { owner: string; salt: Uint8Array }[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  static async open(store: Store, random: Random): Promise<Salts> {
    const salts = new Salts(random);
    for (const row of await store.range(SALT, { limit: LIMITS.page.value }))
      salts.#commits.set(row.owner, commitUnder(row.salt));
    return salts;
  }

  commit(owner: string, bytes: Uint8Array | string): string {
    const commit = this.#commits.get(owner) ?? this.#begin(owner);
    return commit(bytes);
  }

  #begin(owner: string): Commit {
    const salt = newSalt(this.#random);
    const commit = commitUnder(salt);
    this.#commits.set(owner, commit);
    this.#fresh.push({ owner, salt });
    return commit;
  }

  /** Rows of salts made since the last call: they go into the batch that first uses them. */
  takeFresh(now: number): NonNullable<Batch['puts']> {
    const puts = this.#fresh.map(({ owner, salt }) => ({ table: SALT, row: { owner, salt, at: now } }));
    this.#fresh = [];
    return puts;
  }

  forget(owner: string): NonNullable<Batch['deletes']> {
    this.#commits.delete(owner);
    return [{ table: SALT, key: [owner] }];
  }
}
