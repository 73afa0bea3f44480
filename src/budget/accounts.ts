/** The tree of accounts: a call is charged to its account and to every account above it. */
import { type Refusal, refusal } from '../base/errors.ts';
import type { AccountId } from '../base/ids.ts';
import type { CredentialKind } from '../base/ports.ts';
import { ACCOUNT, type AccountRow } from '../db/schema/budget.ts';
import type { Batch, Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';
import { readPages } from './pages.ts';

type Puts = NonNullable<Batch['puts']>;

export interface Account {
  readonly id: AccountId;
  readonly parent: AccountId | null;
  readonly kind: CredentialKind;
  readonly provider: string;
  readonly name: string;
}

export class Accounts {
  readonly #accounts = new Map<AccountId, Account>();

  static async open(store: Store): Promise<Accounts> {
    const accounts = new Accounts();
    for await (const row of readPages(store, ACCOUNT, [])) {
      const account = row as unknown as Account;
      accounts.#accounts.set(account.id, account);
    }
    return accounts;
  }

  /** An account met on a call. Known ones stay as they are; a new one (a client's own login) has no parent yet. */
  seen(id: AccountId, kind: CredentialKind, provider: string): { puts: Puts } {
    if (this.#accounts.has(id) || this.#accounts.size >= LIMITS.accounts.value) return { puts: [] };
    return this.#keep({ id, parent: null, kind, provider, name: id });
  }

  /** Adds or changes an account. `bad_request` if its parent is unknown, or if the tree would be too deep or closed. */
  set(account: Account): { puts: Puts } | Refusal {
    const { id, parent } = account;
    if (parent === null) return this.#keep(account);
    if (!this.#accounts.has(parent)) {
      return refusal('bad_request', `The account "${id}" has an unknown parent "${parent}".`, {
        remedy: 'declare the parent before it in mezz.yaml',
      });
    }
    const above = this.chain(parent);
    if (above.includes(id)) {
      return refusal('bad_request', `The account "${id}" would stand above itself.`, {
        remedy: 'give it another parent in mezz.yaml',
      });
    }
    if (above.length + this.#levelsFrom(id) > LIMITS.accountDepth.value) {
      return refusal('bad_request', `The account "${id}" would make the tree deeper than its bound.`, {
        rule: 'accountDepth',
        remedy: 'give it a parent that stands higher',
      });
    }
    return this.#keep(account);
  }

  /** The account and those above it, itself first. An unknown one stands alone. */
  chain(id: AccountId): AccountId[] {
    const chain = [id];
    for (let at = this.#accounts.get(id)?.parent ?? null; at !== null; ) {
      chain.push(at);
      at = this.#accounts.get(at)?.parent ?? null;
    }
    return chain;
  }

  list(): Account[] {
    return [...this.#accounts.values()];
  }

  /** Levels of the subtree below and with `id`; at least 1. */
  #levelsFrom(id: AccountId): number {
    let deepest = 1;
    for (const account of this.#accounts.values()) {
      const distance = this.chain(account.id).indexOf(id);
      deepest = Math.max(deepest, distance + 1);
    }
    return deepest;
  }

  #keep(account: Account): { puts: Puts } {
    const row: AccountRow = { ...account };
    this.#accounts.set(account.id, account);
    return { puts: [{ table: ACCOUNT, row }] };
  }
}
