/**
 * The balances of the current periods, and today's rows for bills. Periods only move forward: a clock that steps back
 * books in the newest period it has reached, also across a restart.
 */
import type { Usage } from '../base/usage.ts';
import { BALANCE, type BalanceRow, USAGE, type UsageRow } from '../db/schema/budget.ts';
import type { Batch, Store } from '../db/store.ts';
import { addUse, type Counts, noCounts } from './counts.ts';
import { readPages } from './pages.ts';
import { CALENDAR, type Calendar, startOf } from './periods.ts';

type Puts = NonNullable<Batch['puts']>;
interface Used {
  readonly usage: Usage;
  readonly cost: number;
  readonly model: string;
}

export class Balances {
  readonly #starts: Record<Calendar, number> = { total: 0, day: 0, month: 0 };
  readonly #rows: Record<Calendar, Map<string, BalanceRow>> = {
    total: new Map(),
    day: new Map(),
    month: new Map(),
  };
  readonly #usage = new Map<string, UsageRow>();

  static async open(store: Store): Promise<Balances> {
    const balances = new Balances();
    for (const period of CALENDAR) {
      const newest = await store.range(BALANCE, { prefix: [period], reverse: true, limit: 1 });
      const start = newest[0]?.start ?? 0;
      balances.#starts[period] = start;
      for await (const row of readPages(store, BALANCE, [period, start])) {
        balances.#rows[period].set(row.scope, { ...row });
      }
    }
    for await (const row of readPages(store, USAGE, [balances.#starts.day]))
      balances.#usage.set(row.id, { ...row });
    return balances;
  }

  /** Begins the day and the month that `now` is in, if they are new. */
  turn(now: number): void {
    for (const period of CALENDAR) {
      const start = startOf(period, now);
      if (start <= this.#starts[period]) continue;
      this.#starts[period] = start;
      this.#rows[period].clear();
      if (period === 'day') this.#usage.clear();
    }
  }

  /** The day that is booked on, where it is not the one `now` is in: the clock was set back over midnight. */
  bookedOn(now: number): { readonly bookedOn?: number } {
    return this.#starts.day > now ? { bookedOn: this.#starts.day } : {};
  }

  /** The first instant of the period that runs. */
  start(period: Calendar): number {
    return this.#starts[period];
  }

  counts(scope: string, period: Calendar): Counts | undefined {
    return this.#rows[period].get(scope);
  }

  /** Adds a call's use to every scope and to its row of the day's bill. Returns the rows that changed. */
  book(scopes: readonly string[], used: Used, requests: number, now: number): Puts {
    this.turn(now);
    const puts: Puts[number][] = [];
    for (const scope of scopes) {
      for (const period of CALENDAR) {
        const row = this.#balance(scope, period);
        addUse(row, used.usage, used.cost, requests);
        puts.push({ table: BALANCE, row: { ...row } });
      }
    }
    const row = this.#bill(scopes, used.model);
    addUse(row, used.usage, used.cost, requests);
    puts.push({ table: USAGE, row: { ...row } });
    return puts;
  }

  *rows(): Iterable<BalanceRow> {
    for (const period of CALENDAR) yield* this.#rows[period].values();
  }

  /** The rows of the day's bill. */
  bill(): Iterable<UsageRow> {
    return this.#usage.values();
  }

  #balance(scope: string, period: Calendar): BalanceRow {
    const rows = this.#rows[period];
    const row = rows.get(scope) ?? { period, start: this.#starts[period], scope, ...noCounts() };
    rows.set(scope, row);
    return row;
  }

  #bill(scopes: readonly string[], model: string): UsageRow {
    const agent = Number(firstOf(scopes, 'agent:') || 0);
    const account = firstOf(scopes, 'account:');
    const owner = firstOf(scopes, 'owner:');
    const id = JSON.stringify([agent, account, owner, model]);
    const day = this.#starts.day;
    const row = this.#usage.get(id) ?? { day, id, agent, account, owner, model, ...noCounts() };
    this.#usage.set(id, row);
    return row;
  }
}

/** The first scope of a kind is the caller's own; its parents follow. Empty where there is none. */
function firstOf(scopes: readonly string[], prefix: string): string {
  return scopes.find((scope) => scope.startsWith(prefix))?.slice(prefix.length) ?? '';
}
