/** The tree of accounts: a call is charged to its account and to every account above it. */
import { assert } from '../base/assert.ts';
import type { AccountId, OwnerId } from '../base/ids.ts';
import type { CredentialKind } from '../base/ports.ts';
import { ACCOUNT, type AccountRow } from '../db/schema/budget.ts';
import type { Batch, Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';
import { readPages } from './pages.ts';

type Puts = NonNullable<Batch['puts']>;

export interface Account {
  readonly id: AccountId;
  readonly parent: AccountId | null;
  /** Whose login pays; `group` for one that only stands above others. */
  readonly kind: CredentialKind | 'group';
  readonly provider: string;
  /** Who answers for it; null where mezz.yaml names nobody. */
  readonly owner: OwnerId | null;
}

export class Accounts {
  readonly #accounts = new Map<AccountId, Account>();

  static async open(store: Store): Promise<Accounts> {
    const accounts = new Accounts();
    for await (const { name: _, ...row } of readPages(store, ACCOUNT, []))
      accounts.#accounts.set(row.id as AccountId, row as Account);
    return accounts;
  }

  /** An account met on a call. Known ones stay as they are; a new one (a client's own login) has no parent. */
  seen(id: AccountId, kind: CredentialKind, provider: string): { puts: Puts } {
    if (this.#accounts.has(id) || this.#accounts.size >= LIMITS.accounts.value) return { puts: [] };
    return { puts: [this.#keep({ id, parent: null, kind, provider, owner: null })] };
  }

  /**
   * The tree from now on, parents before or after their children; what is not in it keeps its history and stands alone.
   * That it has no circle and is not too deep is checked where it is read. Returns the rows that changed.
   */
  declare(tree: readonly Account[]): { puts: Puts } {
    const declared = new Set(tree.map(({ id }) => id));
    const orphans = [...this.#accounts.values()]
      .filter(({ id }) => !declared.has(id))
      .map((account) => ({ ...account, parent: null, owner: null }));
    const puts = [...orphans, ...tree]
      .filter((account) => !isSame(this.#accounts.get(account.id), account))
      .map((account) => this.#keep(account));
    for (const { id } of tree) this.chain(id);
    return { puts };
  }

  /** The account and those above it, itself first. An unknown one stands alone. */
  chain(id: AccountId): AccountId[] {
    const chain = [id];
    for (let at = this.#accounts.get(id)?.parent ?? null; at !== null; ) {
      chain.push(at);
      assert(chain.length <= LIMITS.accountDepth.value, `the accounts above ${id} are too many or a circle`);
      at = this.#accounts.get(at)?.parent ?? null;
    }
    return chain;
  }

  list(): Account[] {
    return [...this.#accounts.values()];
  }

  #keep(account: Account): { table: typeof ACCOUNT; row: AccountRow } {
    this.#accounts.set(account.id, account);
    return { table: ACCOUNT, row: { ...account, name: account.id } };
  }
}

const isSame = (a: Account | undefined, b: Account): boolean =>
  a?.parent === b.parent && a.kind === b.kind && a.provider === b.provider && a.owner === b.owner;
