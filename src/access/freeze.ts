/** What an operator froze: everything, or an agent and with it all its descendants. Survives restarts. */
import { FREEZE } from '../db/schema/access.ts';
import type { Batch, Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';

export type FreezeScope = 'all' | number;

export class Freezes {
  readonly #frozen = new Map<FreezeScope, number>();
  #epoch = 0;

  static async open(store: Store): Promise<Freezes> {
    const freezes = new Freezes();
    const limit = LIMITS.page.value;
    for (let from = ''; ; ) {
      const rows = await store.range(FREEZE, { from, limit });
      for (const { scope, at } of rows) freezes.#frozen.set(scope === 'all' ? scope : Number(scope), at);
      if (rows.length < limit) return freezes;
      from = `${rows.at(-1)?.scope} `;
    }
  }

  /** Counts the changes; compared again just before dispatch. */
  get epoch(): number {
    return this.#epoch;
  }

  freeze(scope: FreezeScope, now: number): { puts: NonNullable<Batch['puts']> } {
    this.#frozen.set(scope, now);
    this.#epoch += 1;
    return { puts: [{ table: FREEZE, row: { scope: String(scope), at: now } }] };
  }

  thaw(scope: FreezeScope): { deletes: NonNullable<Batch['deletes']> } {
    if (!this.#frozen.delete(scope)) return { deletes: [] };
    this.#epoch += 1;
    return { deletes: [{ table: FREEZE, key: [String(scope)] }] };
  }

  /** `all`, or `agent N` for the first of the chain that is frozen. */
  isFrozen(pids: readonly number[]): string | undefined {
    if (this.#frozen.size === 0) return undefined;
    if (this.#frozen.has('all')) return 'all';
    const pid = pids.find((each) => this.#frozen.has(each));
    return pid === undefined ? undefined : `agent ${pid}`;
  }

  list(): { scope: FreezeScope; at: number }[] {
    return [...this.#frozen].map(([scope, at]) => ({ scope, at }));
  }
}
