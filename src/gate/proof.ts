/**
 * The ledger against the journal: balances are rows, entries are the proof. Every START says who pays and every END
 * what was used; booked again in their order, they must give the balances of the periods that run now.
 */
import type { JsonRecord } from '../base/json.ts';
import { isRecord, parseJson } from '../base/json.ts';
import { NO_USAGE } from '../base/usage.ts';
import { Balances } from '../budget/balances.ts';
import { addUse, type Counts, noCounts } from '../budget/counts.ts';
import { type BalanceRow, SPAN, type SpanRow, type UsageRow } from '../db/schema/budget.ts';
import type { EntryRow } from '../db/store.ts';
import { scopesOf } from './flight.ts';
import { LIMITS } from './limits.ts';
import type { Parts } from './parts.ts';
import { SYSCALLS } from './syscalls.ts';

type Counted = Counts & { readonly start: number };
type Rows = Map<string, Counted>;

/** What disagrees, one line each; empty when all balances, plan windows and today's bill are what the entries say. */
export async function proveBalances(parts: Parts): Promise<{ checked: number; problems: string[] }> {
  const { ledger, store, journal } = parts;
  const now = parts.clock.now();
  ledger.turn(now);
  // Midnight may pass while the entries are read.
  const today = ledger.bookedOn(now).bookedOn ?? now;
  // Balances and journal move in one step: what is copied here is what the first `size` entries say.
  const spans = ledger.spans(now);
  const held = rowsOf(ledger.balances(), ledger.todaysBill(), spans);
  const size = journal.size;
  await store.commit({});
  const proven = await replay(parts, size, today, spans);
  // Where retention took entries, the proof of what was used before is gone: only later periods can be compared.
  const [first] = await store.entries({ log: 0, limit: 1 });
  const provenFrom = first && first.seq > 0 ? first.at : Number.NEGATIVE_INFINITY;
  const problems: string[] = [];
  for (const key of new Set([...held.keys(), ...proven.keys()])) {
    if (((held.get(key) ?? proven.get(key)) as Counted).start <= provenFrom) continue;
    const wrong = differing(held.get(key), proven.get(key));
    if (wrong.length > 0) problems.push(`${key}: ${wrong.join(', ')} differ from the entries`);
  }
  const stored = await storedRows(parts, today, spans);
  // A later call may have changed the stored rows, and the journal then says so.
  for (const [key, row] of journal.size === size ? held : [])
    if (differing(row, stored.get(key)).length > 0)
      problems.push(`${key}: the row is not what the kernel holds`);
  return { checked: held.size, problems: problems.slice(0, LIMITS.problems.value) };
}

/** Copies, by what a person calls them. */
function rowsOf(balances: Iterable<BalanceRow>, bill: Iterable<UsageRow>, spans: Iterable<SpanRow>): Rows {
  return new Map([
    ...[...balances].map((row): [string, Counted] => [`balance ${row.period} ${row.scope}`, { ...row }]),
    ...[...spans].map((row): [string, Counted] => [`window ${row.span} ${row.scope}`, { ...row }]),
    ...[...bill].map((row): [string, Counted] => [`bill of today ${row.id}`, { ...row, start: row.day }]),
  ]);
}

/** As a start would read them from the disk: those of the periods that run. */
async function storedRows({ store }: Parts, today: number, running: readonly SpanRow[]): Promise<Rows> {
  const stored = await Balances.open(store);
  stored.turn(today);
  const spans = await Promise.all(running.map(({ id }) => store.get(SPAN, [id])));
  return rowsOf(
    stored.rows(),
    stored.bill(),
    spans.filter((row) => row !== undefined),
  );
}

async function replay(parts: Parts, size: number, today: number, running: readonly SpanRow[]): Promise<Rows> {
  const spans = running.map((row): SpanRow => ({ ...row, ...noCounts() }));
  const balances = new Booking(spans);
  const open: Open = new Map();
  for (let from = 0; from < size; from += LIMITS.page.value) {
    const toSeq = Math.min(size, from + LIMITS.page.value) - 1;
    const page = await parts.store.entries({ log: 0, fromSeq: from, toSeq, limit: LIMITS.page.value });
    for (const entry of page) book(parts, balances, open, entry);
  }
  balances.turn(today);
  return rowsOf(balances.rows(), balances.bill(), spans);
}

/** Books what entries say, in the windows that run as well: all that came since they began. */
class Booking extends Balances {
  readonly #spans: readonly SpanRow[];

  constructor(spans: readonly SpanRow[]) {
    super();
    this.#spans = spans;
  }

  override book(...[scopes, used, requests, at]: Parameters<Balances['book']>): ReturnType<Balances['book']> {
    for (const span of this.#spans)
      if (at >= span.start && scopes.includes(span.scope)) addUse(span, used.usage, used.cost, requests);
    return super.book(scopes, used, requests, at);
  }
}

/** Who pays for calls that have a START and no END yet, and for which model. */
type Open = Map<string, { readonly scopes: readonly string[]; readonly model: string }>;

function book(parts: Parts, balances: Booking, open: Open, entry: EntryRow): void {
  if (entry.call === null || (entry.kind !== 'call.start' && entry.kind !== 'call.end')) return;
  const body = parseJson(entry.body);
  if (!isRecord(body)) return;
  if (entry.kind === 'call.start') {
    const scopes = payersOf(parts, entry.agent, body);
    const model = String(body.model);
    if (!SYSCALLS[body.kind as keyof typeof SYSCALLS]?.endsLater) open.set(entry.call, { scopes, model });
    else {
      // What its client asked about by hook was counted then.
      const requests = typeof body.continues === 'string' ? 0 : 1;
      const cost = Number(body.reservedUsd ?? 0);
      balances.book(scopes, { usage: NO_USAGE, cost, model }, requests, dayOf(entry, body));
    }
    return;
  }
  const begun = open.get(entry.call);
  open.delete(entry.call);
  if (!begun) return;
  const { scopes, model } = begun;
  const number = (name: string): number => Number(body[name] ?? 0);
  const usage = {
    input: number('input'),
    cacheRead: number('cacheRead'),
    cacheWrite: number('cacheWrite'),
    output: number('output'),
    reasoning: number('reasoning'),
  };
  balances.book(scopes, { usage, cost: number('cost'), model }, 1, dayOf(entry, body));
}

/** When a use was booked: after the entry's own instant where the clock was set back. */
const dayOf = (entry: EntryRow, body: JsonRecord): number => Math.max(entry.at, Number(body.bookedOn ?? 0));

/** The scopes that paid for a call, as its START says. */
export function payersOf(parts: Parts, pid: number, start: JsonRecord): string[] {
  const agent = parts.agents.get(pid);
  const above = Array.isArray(start.above) ? start.above.map(String) : [];
  const accounts = typeof start.account === 'string' ? [start.account, ...above] : [];
  return scopesOf(agent ? parts.agents.chain(agent) : [], String(start.owner), accounts);
}

function differing(a: Counts | undefined, b: Counts | undefined): string[] {
  const none = noCounts();
  const names = Object.keys(none) as (keyof typeof none)[];
  return names.filter((name) => (a ?? none)[name] !== (b ?? none)[name]);
}
