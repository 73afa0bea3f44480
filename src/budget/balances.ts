/**
 * The balances of the current periods, and today's rows for bills. Stored are totals, one row a scope, and once a day and
 * month what they were before: the rest of the period is the difference. Periods only move forward: a clock that steps back
 * books in the newest period it has reached, also across a restart.
 */
import type { Usage } from '../base/usage.ts';
import { BALANCE, type BalanceRow, USAGE, type UsageRow } from '../db/schema/budget.ts';
import type { Batch, Store } from '../db/store.ts';
import { addUse, type Counts, difference, noCounts } from './counts.ts';
import { readPages } from './pages.ts';
import { type Calendar, endOf, startOf, TURNING, type Turning } from './periods.ts';

type Puts = NonNullable<Batch['puts']>;
interface Used {
  readonly usage: Usage;
  readonly cost: number;
  readonly model: string;
}

export class Balances {
  readonly #starts: Record<Calendar, number> = { total: 0, day: 0, month: 0 };
  readonly #totals = new Map<string, BalanceRow>();
  /** What the scopes that used something since had used when the day and the month began. */
  readonly #before: Record<Turning, Map<string, BalanceRow>> = { day: new Map(), month: new Map() };
  readonly #usage = new Map<string, UsageRow>();

  static async open(store: Store): Promise<Balances> {
    const balances = new Balances();
    for await (const row of readPages(store, BALANCE, ['total', 0]))
      balances.#totals.set(row.scope, { ...row });
    for (const period of TURNING) {
      const newest = await store.range(BALANCE, { prefix: [period], reverse: true, limit: 1 });
      const start = newest[0]?.start ?? 0;
      balances.#starts[period] = start;
      for await (const row of readPages(store, BALANCE, [period, start]))
        balances.#before[period].set(row.scope, row);
    }
    for await (const row of readPages(store, USAGE, [balances.#starts.day]))
      balances.#usage.set(row.id, { ...row });
    return balances;
  }

  /** Begins the day and the month that `now` is in, if they are new. */
  turn(now: number): void {
    // No month begins within a day.
    if (this.#starts.day > 0 && now < (endOf('day', this.#starts.day) as number)) return;
    for (const period of TURNING) {
      const start = startOf(period, now);
      if (start <= this.#starts[period]) continue;
      this.#starts[period] = start;
      this.#before[period].clear();
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
    const total = this.#totals.get(scope);
    if (!total || period === 'total') return total;
    const before = this.#before[period].get(scope);
    return before && difference(total, before);
  }

  /** Adds a call's use to every scope and to its row of the day's bill. Returns the rows that changed. */
  book(scopes: readonly string[], used: Used, requests: number, now: number): Puts {
    this.turn(now);
    const puts: Puts[number][] = [];
    for (const scope of scopes) {
      const row = this.#balance(scope);
      for (const period of TURNING) {
        if (this.#before[period].has(scope)) continue;
        const before = { ...row, period, start: this.#starts[period] };
        this.#before[period].set(scope, before);
        puts.push({ table: BALANCE, row: before });
      }
      addUse(row, used.usage, used.cost, requests);
      puts.push({ table: BALANCE, row: { ...row } });
    }
    const row = this.#bill(scopes, used.model);
    addUse(row, used.usage, used.cost, requests);
    puts.push({ table: USAGE, row: { ...row } });
    return puts;
  }

  /** What each scope has used in each period that runs. */
  *rows(): Iterable<BalanceRow> {
    yield* this.#totals.values();
    for (const period of TURNING)
      for (const before of this.#before[period].values()) {
        const total = this.#totals.get(before.scope);
        if (total) yield { ...before, ...difference(total, before) };
      }
  }

  /** The rows of the day's bill. */
  bill(): Iterable<UsageRow> {
    return this.#usage.values();
  }

  #balance(scope: string): BalanceRow {
    const row = this.#totals.get(scope) ?? { period: 'total', start: 0, scope, ...noCounts() };
    this.#totals.set(scope, row);
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
