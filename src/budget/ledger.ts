/**
 * budget/ owns what was used, what is held and what may be used: balances, limits, prices, estimates, plan windows.
 * Invariant: under a strict limit used + held never passes the cap as long as no call uses more than its proven bound.
 * Reserving is synchronous, so no two calls can take the same money; rows leave as puts for the transaction that also
 * journals the call, and must be committed in the order they were made. It must not know the gate, agents or wires.
 */
import { assert } from '../base/assert.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import type { BillRow, LimitView } from '../base/money.ts';
import type { NanoUsd, Usage } from '../base/usage.ts';
import { type BalanceRow, LIMIT, type LimitRow, type SpanRow, type UsageRow } from '../db/schema/budget.ts';
import type { Batch, Store } from '../db/store.ts';
import { Balances } from './balances.ts';
import { type BillBy, readBill } from './bill.ts';
import { noCounts, usedOf } from './counts.ts';
import { allOf, type Bound, type Charge, Holds } from './holds.ts';
import { readPages } from './pages.ts';
import { endOf, isSpan, type Span } from './periods.ts';
import { Spans } from './spans.ts';
import { Windows } from './windows.ts';

export { allOf, type Bound, type Charge } from './holds.ts';
export type Reservation = Bound;
type Puts = NonNullable<Batch['puts']>;
type Limit = Omit<LimitView, 'used' | 'held' | 'resetsAt'>;
type Used = Parameters<Balances['book']>[1];
export type Cap = Pick<Limit, 'scope' | 'dimension' | 'period' | 'cap' | 'strict'>;

/** A call that started before a crash and whose end nobody knows: its reservation is booked as used. */
export interface OpenCall {
  readonly call: string;
  readonly scopes: readonly string[];
  readonly usd: NanoUsd;
  readonly tokens: number;
  /** Part of `tokens`. */
  readonly output: number;
  readonly model: string;
}

export class Ledger {
  readonly #balances: Balances;
  readonly #spans: Spans;
  readonly #windows: Windows;
  /** The latest instant the ledger was told: periods only move forward. */
  #now = 0;
  readonly #holds = new Holds();
  readonly #limits = new Map<string, Limit>();
  readonly #byScope = new Map<string, Limit[]>();
  /** The plan windows that a scope has limits of. */
  readonly #spansOf = new Map<string, ReadonlySet<Span>>();

  private constructor(balances: Balances, spans: Spans, windows: Windows) {
    this.#balances = balances;
    this.#spans = spans;
    this.#windows = windows;
  }

  /** `windows` are the plan windows that providers report: where those of accounts end, and how full they are. */
  static async open(store: Store, windows = new Windows()): Promise<Ledger> {
    const ledger = new Ledger(await Balances.open(store), await Spans.open(store, windows), windows);
    for await (const row of readPages(store, LIMIT, [])) ledger.#keep(limitOf(row));
    return ledger;
  }

  /** Could the call ever fit, were every hold released unused? The refusal says which limit it cannot meet. */
  fits(charge: Charge, now: number): Refusal | undefined {
    return this.#firstRefusal(charge, now, false);
  }

  /**
   * Holds what the call may use, at once. Reserving again for the same call replaces its hold. Returns what is held
   * (the bound where a strict limit applies), or `over_budget` or `no_bound`.
   */
  reserve(call: string, charge: Charge, now: number): Reservation | Refusal {
    this.#holds.take(call);
    const refused = this.#firstRefusal(charge, now, true);
    if (refused) return refused;
    this.#holds.add(call, { ...charge, scopes: [...new Set(charge.scopes)] });
    const strict = charge.scopes.some((scope) => this.#byScope.get(scope)?.some((limit) => limit.strict));
    return strict && charge.bound ? charge.bound : charge.estimate;
  }

  /** Books what a held call really used and ends its hold. */
  settle(
    call: string,
    used: { readonly usage: Usage; readonly cost: NanoUsd; readonly model: string },
    now: number,
  ): { puts: Puts } {
    const charge = this.#holds.take(call);
    assert(charge, `call ${call} settles without a reservation`);
    return { puts: this.#book(charge.scopes, used, charge.estimate.requests, now) };
  }

  /** Ends a hold of which nothing was used. Does nothing where there is none. */
  release(call: string): void {
    this.#holds.take(call);
  }

  /** After a crash: books all that calls without an end had reserved, since nobody knows better. */
  recover(open: readonly OpenCall[], now: number): { puts: Puts } {
    const rows = new Map<string, Puts[number]>();
    for (const { scopes, usd, tokens, output, model } of open) {
      const used = { usage: allOf({ tokens, output }), cost: usd, model };
      for (const put of this.#book([...new Set(scopes)], used, 1, now)) {
        rows.set(`${put.table.name} ${put.table.key.map((column) => put.row[column]).join(' ')}`, put);
      }
    }
    return { puts: [...rows.values()] };
  }

  /** Sets, changes or (cap null) removes a limit. `cap` is in nano-dollars for `usd`, else a count. */
  setLimit(
    wanted: Omit<Cap, 'cap'> & { readonly cap: number | null },
    source: Limit['source'] = 'operator',
  ): Pick<Required<Batch>, 'puts' | 'deletes'> & { limit: LimitView | null } {
    const { scope, dimension, period, cap, strict } = wanted;
    const id = idOf(wanted);
    this.#drop(id);
    if (cap === null) {
      const isCounted = this.#byScope.get(scope)?.some((other) => other.period === period) === true;
      const spans = isSpan(period) && !isCounted ? this.#spans.forget(scope, period) : [];
      return { limit: null, puts: [], deletes: [{ table: LIMIT, key: [id] }, ...spans] };
    }
    assert(Number.isSafeInteger(cap) && cap >= 0, `a cap is a whole number, not ${cap}`);
    const limit: Limit = { id, scope, dimension, period, cap, strict, source };
    this.#keep(limit);
    const row: LimitRow = {
      ...limit,
      strict: strict ? 1 : 0,
      source: source === 'config' ? source : null,
    };
    return { limit: this.#view(limit), puts: [{ table: LIMIT, row }], deletes: [] };
  }

  /**
   * The limits of mezz.yaml: all of them hold, or, where it was read `before`, those that changed since. One that left
   * it is removed; a limit that an operator set in the meantime stays as it is. Says which limits changed.
   */
  declare(
    caps: readonly Cap[],
    before: readonly Cap[] = [],
  ): Required<Pick<Batch, 'puts' | 'deletes'>> & { changed: string[] } {
    const old = new Map(before.map((cap) => [idOf(cap), JSON.stringify(cap)]));
    const named = new Set(caps.map(idOf));
    const gone = [...this.#limits.values()].filter(({ id, source }) => source === 'config' && !named.has(id));
    const set = caps.filter((cap) => old.get(idOf(cap)) !== JSON.stringify(cap));
    const changes = [
      ...gone.map((limit) => this.setLimit({ ...limit, cap: null })),
      ...set.map((cap) => this.setLimit(cap, 'config')),
    ];
    return {
      changed: [...gone, ...set].map(idOf),
      puts: changes.flatMap(({ puts }) => puts),
      deletes: changes.flatMap(({ deletes }) => deletes),
    };
  }

  /** The limits (of one scope) with what is used and held; `now` turns the day and the month if they are over. */
  limits(scope?: string, now?: number): LimitView[] {
    if (now !== undefined) this.turn(now);
    const limits = scope === undefined ? this.#limits.values() : (this.#byScope.get(scope) ?? []);
    return [...limits].map((limit) => this.#view(limit));
  }

  /** What a scope has used since it is known. */
  total(scope: string): Omit<BillRow, 'key' | 'name'> {
    const { requests, input, cacheRead, cacheWrite, output, reasoning, cost } =
      this.#balances.counts(scope, 'total') ?? noCounts();
    return { requests, usage: { input, cacheRead, cacheWrite, output, reasoning }, cost };
  }

  /** What was used (by these agents) since the start of `since`'s day (UTC), grouped. Reads what is durable. */
  bill(
    by: BillBy,
    since: number | undefined,
    store: Store,
    agents?: ReadonlySet<number>,
  ): Promise<{ rows: BillRow[]; total: BillRow }> {
    return readBill(by, since, store, agents);
  }

  /** For the entry of a booking made `now`: the day it falls on, where the clock alone would not say so. */
  bookedOn(now: number): { readonly bookedOn?: number } {
    return this.#balances.bookedOn(now);
  }

  /** Begins the periods that `now` is in, if they are new. */
  turn(now: number): void {
    this.#now = Math.max(this.#now, now);
    this.#balances.turn(now);
  }

  /** Is nothing left of a limit? Not when it is gone. */
  isExhausted(id: string, now: number): boolean {
    this.turn(now);
    const limit = this.#limits.get(id);
    return limit !== undefined && this.#used(limit) >= limit.cap;
  }

  /** When a limit begins anew by itself; null where it never does. */
  resetsAt(id: string, now: number): number | null {
    this.turn(now);
    const limit = this.#limits.get(id);
    return limit ? this.#resetsAt(limit) : null;
  }

  /** The rows of today's bill, as they are stored once every put is committed. */
  todaysBill(): Iterable<UsageRow> {
    return this.#balances.bill();
  }

  /** The balances of the current periods, as a start finds them once every put is committed. */
  balances(): Iterable<BalanceRow> {
    return this.#balances.rows();
  }

  /** What plan windows that run hold, copied. */
  spans(now: number): SpanRow[] {
    this.turn(now);
    return this.#spans.rows(this.#now);
  }

  #firstRefusal(charge: Charge, now: number, withHolds: boolean): Refusal | undefined {
    this.turn(now);
    for (const scope of charge.scopes) {
      for (const limit of this.#byScope.get(scope) ?? []) {
        // A provider tells how full a plan is, never how much of it a call takes.
        const need = limit.dimension === 'share' ? 0 : needOf(charge, limit, limit.dimension);
        if (need === undefined) return noBound(limit);
        const used = this.#used(limit);
        const over =
          limit.dimension === 'share'
            ? used >= limit.cap
            : used + need + (withHolds ? this.#held(limit) : 0) > limit.cap;
        if (over) return overBudget(this.#view(limit), need);
      }
    }
    return undefined;
  }

  /** Books in the calendar's periods for every scope, in plan windows where a limit asks for them. */
  #book(scopes: readonly string[], used: Used, requests: number, now: number): Puts {
    this.turn(now);
    const puts = [...this.#balances.book(scopes, used, requests, now)];
    for (const scope of scopes)
      for (const span of this.#spansOf.get(scope) ?? [])
        puts.push(this.#spans.book(scope, span, used.usage, used.cost, requests, this.#now));
    return puts;
  }

  #view(limit: Limit): LimitView {
    return {
      ...limit,
      used: this.#used(limit),
      held: this.#held(limit),
      resetsAt: this.#resetsAt(limit),
    };
  }

  #held({ scope, dimension, strict }: Limit): number {
    return dimension === 'share' ? 0 : this.#holds.held(scope, dimension, strict);
  }

  #used({ scope, dimension, period }: Limit): number {
    if (dimension === 'share') return this.#windows.percent(accountOf(scope), period, this.#now);
    const counts = isSpan(period)
      ? this.#spans.counts(scope, period, this.#now)
      : this.#balances.counts(scope, period);
    return counts ? usedOf(counts, dimension) : 0;
  }

  #resetsAt({ scope, dimension, period }: Limit): number | null {
    if (!isSpan(period)) return endOf(period, this.#balances.start(period));
    if (dimension !== 'share') return this.#spans.endsAt(scope, period, this.#now);
    const resetsAt = this.#windows.resetsAt(accountOf(scope), period);
    return resetsAt !== null && resetsAt > this.#now ? resetsAt : null;
  }

  #keep(limit: Limit): void {
    this.#limits.set(limit.id, limit);
    this.#setLimits(limit.scope, [...(this.#byScope.get(limit.scope) ?? []), limit]);
  }

  #drop(id: string): void {
    const old = this.#limits.get(id);
    if (!old) return;
    this.#limits.delete(id);
    this.#setLimits(old.scope, this.#byScope.get(old.scope)?.filter((limit) => limit !== old) ?? []);
  }

  #setLimits(scope: string, limits: Limit[]): void {
    const spans = new Set(limits.map(({ period }) => period).filter(isSpan));
    if (limits.length > 0) this.#byScope.set(scope, limits);
    else this.#byScope.delete(scope);
    if (spans.size > 0) this.#spansOf.set(scope, spans);
    else this.#spansOf.delete(scope);
  }
}

/** Undefined: a strict limit asks for a bound and there is none. The number of requests is always known. */
function needOf(charge: Charge, limit: Limit, dimension: keyof Bound): number | undefined {
  if (!limit.strict || dimension === 'requests') return charge.estimate[dimension];
  return charge.bound?.[dimension];
}

const accountOf = (scope: string): string => scope.slice('account:'.length);
const idOf = ({ scope, dimension, period }: Omit<Cap, 'cap'>): string => `${scope}/${dimension}/${period}`;

function limitOf(row: LimitRow): Limit {
  const { dimension, period } = row as Pick<LimitView, 'dimension' | 'period'>;
  const { id, scope, cap } = row;
  const source = row.source === 'config' ? 'config' : 'operator';
  return { id, scope, dimension, period, cap, strict: row.strict === 1, source };
}

function noBound(limit: Limit): Refusal {
  return refusal('no_bound', `The strict limit ${limit.id} needs a proven bound on what this call may use.`, {
    rule: limit.id,
    remedy: 'set the maximum output tokens in the request, or make the limit not strict with `mezz limit`',
  });
}

function overBudget(limit: LimitView, need: number): Refusal {
  const { dimension, used, held, cap, resetsAt } = limit;
  const amount = (value: number) =>
    dimension === 'usd' ? `$${(value / 1e9).toFixed(4)}` : `${value}${dimension === 'share' ? ' %' : ''}`;
  const facts =
    dimension === 'share'
      ? `used ${amount(used)}, cap ${amount(cap)}`
      : `used ${amount(used)}, held ${amount(held)}, cap ${amount(cap)}, this call needs ${amount(need)}`;
  const until = resetsAt === null ? '' : `, begins anew ${new Date(resetsAt).toISOString()}`;
  return refusal('over_budget', `The limit ${limit.id} cannot cover this call: ${facts}${until}.`, {
    rule: limit.id,
    remedy: raise(limit),
  });
}

function raise({ scope, dimension, period }: Limit): string {
  if (scope.startsWith('agent:') && dimension === 'usd' && period === 'total') {
    return `mezz budget ${scope.slice('agent:'.length)} <amount>`;
  }
  return `mezz limit set ${scope} <cap> --of ${dimension} --per ${period}`;
}
