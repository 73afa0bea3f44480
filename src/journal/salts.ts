import type { Random } from '../base/random.ts';
import { SALT } from '../db/schema/journal.ts';
import type { Batch, Store } from '../db/store.ts';
import { commitmentOf, newSalt } from './commitment.ts';
import { LIMITS } from './limits.ts';

/** One secret per owner, in memory while it exists. Erasing it unlinks every commitment made under it. */
export class Salts {
  readonly #random: Random;
  readonly #salts = new Map<string, Uint8Array>();
  #fresh: { owner: string; salt: Uint8Array }[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  static async open(store: Store, random: Random): Promise<Salts> {
    const salts = new Salts(random);
    for (const row of await store.range(SALT, { limit: LIMITS.page.value }))
      salts.#salts.set(row.owner, row.salt);
    return salts;
  }

  of(owner: string): Uint8Array {
    let salt = this.#salts.get(owner);
    if (!salt) {
      salt = newSalt(this.#random);
      this.#salts.set(owner, salt);
      this.#fresh.push({ owner, salt });
    }
    return salt;
  }

  commit(owner: string, bytes: Uint8Array | string): string {
    return commitmentOf(this.of(owner), bytes);
  }

  /** Rows of salts made since the last call: they go into the batch that first uses them. */
  takeFresh(now: number): NonNullable<Batch['puts']> {
    const puts = this.#fresh.map(({ owner, salt }) => ({ table: SALT, row: { owner, salt, at: now } }));
    this.#fresh = [];
    return puts;
  }

  forget(owner: string): NonNullable<Batch['deletes']> {
    this.#salts.delete(owner);
    return [{ table: SALT, key: [owner] }];
  }
}
