/** The tree of accounts that a config declares: those it names, and those its backends are paid with. */
import type { AccountId } from '../base/ids.ts';
import type { BackendSpec } from '../base/ports.ts';
import type { Account } from '../budget/accounts.ts';
import type { Stated } from '../scheduler/stated.ts';
import type { Config } from './config.ts';

export function accountsOf(config: Config): Account[] {
  // A backend that takes clients' own logins alone has no account of its own: each login is one.
  const paid = new Map<AccountId, BackendSpec>();
  for (const { spec } of config.backends)
    if (spec.credential !== 'client' && !paid.has(spec.account)) paid.set(spec.account, spec);
  const named = new Map(config.accounts.map((account) => [account.id, account]));
  return [...new Set([...named.keys(), ...paid.keys()])].map((id) => ({
    id,
    parent: named.get(id)?.parent ?? null,
    owner: named.get(id)?.owner ?? null,
    ...kindOf(id, paid.get(id)),
  }));
}

/** What the settings say of accounts that no provider's header tells. */
export function statedOf({ accounts }: Config): ReadonlyMap<string, Stated> {
  const said = accounts.filter(({ stated }) => stated !== undefined);
  return new Map(said.map(({ id, stated }) => [id, stated as Stated]));
}

function kindOf(id: AccountId, spec: BackendSpec | undefined): Pick<Account, 'kind' | 'provider'> {
  if (spec) return { kind: spec.credential === 'local' ? 'local' : 'kernel', provider: spec.provider };
  const [client, provider = ''] = id.split(':');
  return client === 'client' ? { kind: 'client', provider } : { kind: 'group', provider: '' };
}
