/**
 * Parts of plan windows that are kept for one: an agent by its name, or an owner. A provider says how full a window is and
 * not who filled it, so all others stop where the rest is what is kept. Rows leave as puts for the caller's transaction.
 */
import { type Refusal, refusal } from '../base/errors.ts';
import type { ReserveView } from '../base/money.ts';
import { RESERVE, type ReserveRow } from '../db/schema/budget.ts';
import type { Batch, Store } from '../db/store.ts';
import { readPages } from './pages.ts';
import type { Span } from './periods.ts';
import type { Windows } from './windows.ts';

type Changes = Required<Pick<Batch, 'puts' | 'deletes'>>;

/** Who asks: the names of the agent and its parents, and its owner. */
export interface Asking {
  readonly accounts: readonly string[];
  readonly names: readonly string[];
  readonly owner: string;
}

export class Reserves {
  readonly #rows = new Map<string, ReserveRow>();
  readonly #windows: Windows;

  private constructor(windows: Windows) {
    this.#windows = windows;
  }

  static async open(store: Store, windows: Windows): Promise<Reserves> {
    const reserves = new Reserves(windows);
    for await (const row of readPages(store, RESERVE, [])) reserves.#rows.set(row.id, { ...row });
    return reserves;
  }

  /** Keeps so many percent of an account's window for `who`, `agent:<name>` or `owner:<id>`; 0: none any more. */
  set(account: string, span: Span, who: string, percent: number): Changes & { readonly id: string } {
    const row = { id: `reserve:${account}/${span}/${who}`, account, span, who, percent };
    if (percent === 0) {
      this.#rows.delete(row.id);
      return { id: row.id, puts: [], deletes: [{ table: RESERVE, key: [row.id] }] };
    }
    this.#rows.set(row.id, row);
    return { id: row.id, puts: [{ table: RESERVE, row }], deletes: [] };
  }

  /** Why a call may not use what is left of a window, if so. */
  refusal({ accounts, names, owner }: Asking, now: number): Refusal | undefined {
    for (const account of accounts)
      for (const span of ['5h', '7d'] as const) {
        const others = this.#of(account, span).filter(
          ({ who }) => who !== `owner:${owner}` && !names.includes(who.slice('agent:'.length)),
        );
        const kept = others.reduce((sum, { percent }) => sum + percent, 0);
        const used = this.#windows.percent(account, span, now);
        const [first] = others;
        if (first && used >= 100 - kept) return overReserve(first, used, kept);
      }
    return undefined;
  }

  /** When the window of a reservation begins anew; null where that is not known, or `id` names none. */
  resetsAt(id: string, now: number): number | null {
    const row = this.#rows.get(id);
    const resetsAt = row ? this.#windows.resetsAt(row.account, row.span) : null;
    return resetsAt !== null && resetsAt > now ? resetsAt : null;
  }

  /** May an agent that this one held back still not go on? */
  isExhausted(id: string, now: number): boolean {
    const row = this.#rows.get(id);
    if (!row) return false;
    const kept = this.#of(row.account, row.span as Span).reduce((sum, { percent }) => sum + percent, 0);
    return this.#windows.percent(row.account, row.span, now) >= 100 - kept;
  }

  list(): ReserveView[] {
    return [...this.#rows.values()].map(({ account, span, who, percent }) => ({
      account,
      span,
      who,
      percent,
    }));
  }

  #of(account: string, span: Span): ReserveRow[] {
    return [...this.#rows.values()].filter((row) => row.account === account && row.span === span);
  }
}

function overReserve({ id, account, span, who }: ReserveRow, used: number, kept: number): Refusal {
  const facts = `${used} % of it is used, and ${kept} % is kept for ${who} and whoever else has a part`;
  return refusal(
    'over_budget',
    `What is left of the ${span} window of ${account} is not for this agent: ${facts}.`,
    {
      rule: id,
      remedy: `mezz limit set account:${account} --reserve ${who.replace('agent:', '')}=0% --per ${span}`,
    },
  );
}
