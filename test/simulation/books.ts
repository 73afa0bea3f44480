/**
 * The oracle's own books: what every scope has used and may still use, from what was asked for and what was journaled.
 * Invariant checked: under a strict limit used + held never passes the cap, what was really spent is never more than
 * what was booked, and at rest balances, bills, agents and calls all say the same as the entries.
 */

import type { Usage } from '../../src/base/usage.ts';
import { AGENT } from '../../src/db/schema/agents.ts';
import { BALANCE, type BalanceRow, LIMIT, USAGE } from '../../src/db/schema/budget.ts';
import { costOf, mostFor, tokensOf } from './market.ts';
import type { ModelRequest, Request } from './requests.ts';
import type { Spent } from './upstream.ts';
import type { Entry, Views } from './views.ts';

const DIMENSIONS = ['usd', 'tokens', 'output', 'requests'] as const;
type Amount = Record<(typeof DIMENSIONS)[number], number>;
const nothing = (): Amount => ({ usd: 0, tokens: 0, output: 0, requests: 0 });

interface Hold {
  readonly scopes: readonly string[];
  /** Undefined where nothing bounds it. */
  readonly most: Amount | undefined;
  /** Did a strict limit apply when it started? */
  readonly isStrict: boolean;
}

type Report = (rule: string, detail: string) => void;

export class Books {
  readonly #views: Views;
  readonly #report: Report;
  #used = new Map<string, Amount>();
  #holds = new Map<string, Hold>();

  constructor(views: Views, report: Report) {
    this.#views = views;
    this.#report = report;
  }

  start(entry: Entry, request: Request, chain: readonly number[]): void {
    const id = entry.call as string;
    const scopes = scopesOf(entry, chain);
    const most = mostOf(request, String(entry.body.backend));
    for (const { id: limit, scope, dimension, period, cap, strict } of this.#views.queued.all(LIMIT)) {
      if (!strict || period !== 'total' || !scopes.includes(scope)) continue;
      const of = dimension as keyof Amount;
      if (!most && of !== 'requests') {
        this.#report('strict-bound', `${id} starts under ${limit} and nothing bounds it`);
        continue;
      }
      const need = most?.[of] ?? 1;
      const { used, held } = this.#taken(scope, of);
      if (used + held + need > cap)
        this.#report(
          'strict-cap',
          `${id} starts under ${limit}: ${used} used + ${held} held + ${need} > ${cap}`,
        );
    }
    this.#checkReserved(entry, scopes, most);
    this.#holds.set(id, { scopes, most, isStrict: this.#isStrict(scopes) });
    if (request.kind === 'tool.call') this.#close(id, nothing());
  }

  /** Where a strict limit applies, the bound is what is reserved, and what a crash will book. */
  #checkReserved(entry: Entry, scopes: readonly string[], most: Amount | undefined): void {
    if (!most || !this.#isStrict(scopes)) return;
    const { reservedUsd, reservedTokens } = entry.body;
    if (reservedUsd !== most.usd || reservedTokens !== most.tokens)
      this.#report(
        'reserves-bound',
        `${entry.call} reserves ${reservedUsd}/${reservedTokens}, its bound is ${most.usd}/${most.tokens}`,
      );
  }

  end(start: Entry, entry: Entry, spent: Spent | undefined): void {
    const id = entry.call as string;
    if (start.body.kind === 'tool.call') return;
    const booked = usageOf(entry);
    const cost = Number(entry.body.cost);
    const model = String(start.body.target);
    const backend = String(start.body.backend);
    if (entry.body.code === 'in_doubt') {
      const { reservedUsd, reservedTokens } = start.body;
      if (cost !== reservedUsd || tokensOf(booked) !== reservedTokens)
        this.#report(
          'books-doubt',
          `${id} books ${cost}/${tokensOf(booked)} of ${reservedUsd}/${reservedTokens}`,
        );
    } else if (spent?.reported) {
      if (JSON.stringify(booked) !== JSON.stringify(spent.reported))
        this.#report(
          'books-reported',
          `${id} books ${JSON.stringify(booked)}, reported was ${JSON.stringify(spent.reported)}`,
        );
      const price = costOf(model, backend, spent.reported);
      if (cost !== price)
        this.#report('books-reported', `${id} books ${cost} nano-dollars, the price is ${price}`);
    } else if (this.#holds.get(id)?.most) this.#checkUnknown(id, start, cost, tokensOf(booked), spent);
    this.#close(id, { usd: cost, tokens: tokensOf(booked), output: booked.output, requests: 0 });
  }

  /** Nobody said what was spent: under a strict limit the booking must cover it all the same. */
  #checkUnknown(id: string, start: Entry, cost: number, tokens: number, spent: Spent | undefined): void {
    if (!spent || !this.#holds.get(id)?.isStrict) return;
    const really = costOf(String(start.body.target), String(start.body.backend), spent.truth);
    if (cost < really || tokens < tokensOf(spent.truth))
      this.#report(
        'books-all',
        `${id} books ${cost}/${tokens}, spent were ${really}/${tokensOf(spent.truth)}`,
      );
  }

  #close(id: string, amount: Amount): void {
    const hold = this.#holds.get(id);
    if (!hold) return;
    this.#holds.delete(id);
    for (const scope of hold.scopes) {
      const sums = this.#used.get(scope) ?? nothing();
      for (const name of DIMENSIONS) sums[name] += amount[name];
      sums.requests++;
      this.#used.set(scope, sums);
    }
  }

  #isStrict(scopes: readonly string[]): boolean {
    return this.#views.queued.all(LIMIT).some(({ strict, scope }) => strict === 1 && scopes.includes(scope));
  }

  #taken(scope: string, of: keyof Amount): { used: number; held: number; sure: boolean } {
    let held = 0;
    let sure = true;
    for (const { scopes, most } of this.#holds.values()) {
      if (!scopes.includes(scope)) continue;
      if (of === 'requests') held++;
      else if (most) held += most[of];
      else sure = false;
    }
    return { used: this.#used.get(scope)?.[of] ?? 0, held, sure };
  }

  /** A refusal that names a strict limit must be right: money that nobody holds is there to be used. */
  refused(entry: Entry, request: Request | undefined): void {
    if (entry.body.code !== 'over_budget' || !request) return;
    const limit = this.#views.queued.get(LIMIT, String(entry.body.rule));
    if (!limit?.strict || limit.period !== 'total') return;
    const of = limit.dimension as keyof Amount;
    const { used, held, sure } = this.#taken(limit.scope, of);
    const backends = request.kind === 'tool.call' ? [''] : ['east', 'west', 'here'];
    const need = Math.max(
      ...backends.map((name) => mostOf(request, name)?.[of] ?? 0),
      of === 'requests' ? 1 : 0,
    );
    if (sure && used + held + need <= limit.cap)
      this.#report(
        'budget-idle',
        `${entry.call} is refused by ${limit.id}: ${used} used + ${held} held + ${need} <= ${limit.cap}`,
      );
  }

  /** After a crash: what is on the disk, the calls without an END held until they are recovered. */
  restart(requestOf: (call: string, toolUseId: string | null) => Request | undefined): void {
    this.#used = new Map();
    this.#holds = new Map();
    for (const entry of this.#views.durable.entries) {
      const id = entry.call as string;
      if (entry.kind === 'call.start') {
        const request = requestOf(id, entry.body.toolUseId as string | null);
        const scopes = scopesOf(entry, this.#chain(entry.agent));
        const most = request && mostOf(request, String(entry.body.backend));
        this.#holds.set(id, { scopes, most, isStrict: false });
        if (entry.body.kind === 'tool.call') this.#close(id, nothing());
      }
      if (entry.kind === 'call.end') {
        const usage = usageOf(entry);
        const usd = Number(entry.body.cost);
        this.#close(id, { usd, tokens: tokensOf(usage), output: usage.output, requests: 0 });
      }
    }
  }

  #chain(agent: number): number[] {
    const chain = [agent];
    for (let row = this.#views.durable.get(AGENT, agent); row?.parent != null; ) {
      chain.push(row.parent);
      row = this.#views.durable.get(AGENT, row.parent);
    }
    return chain;
  }

  /** Entries, balances of every period, bills and agents must say the same. */
  compare(): void {
    const { durable } = this.#views;
    const totals = new Map<string, Amount>();
    for (const row of durable.all(BALANCE)) {
      if (row.period === 'total') add(totals, row.scope, row);
      else this.#compareBefore(row);
    }
    this.#same('balances', totals, this.#used);
    const bill = new Map<string, Amount>();
    for (const row of durable.all(USAGE)) {
      add(bill, `owner:${row.owner}`, row);
      if (row.account === '') continue;
      add(bill, `account:${row.account}`, row);
      add(bill, 'account:money', row);
    }
    const shared = [...this.#used].filter(([scope]) => !scope.startsWith('agent:'));
    this.#same('bills', bill, new Map(shared));
    this.#compareAgents();
  }

  /** The row of a day or a month must say what the scope had used before it began. */
  #compareBefore(row: BalanceRow): void {
    const { durable } = this.#views;
    const own = new Map([[row.scope, nothing()]]);
    const started = new Map<string, Entry>();
    for (const entry of durable.entries) {
      const start = entry.kind === 'call.start' ? entry : started.get(entry.call ?? '');
      const isBooked = entry.kind === (start?.body.kind === 'tool.call' ? 'call.start' : 'call.end');
      if (entry.kind === 'call.start') started.set(entry.call ?? '', entry);
      if (!start || !isBooked || Math.max(entry.at, Number(entry.body.bookedOn ?? 0)) >= row.start) continue;
      if (!scopesOf(start, this.#chain(start.agent)).includes(row.scope)) continue;
      const used = entry === start ? NO_COUNTS : { ...usageOf(entry), cost: Number(entry.body.cost) };
      add(own, row.scope, { ...used, requests: 1 });
    }
    const rows = new Map<string, Amount>();
    add(rows, row.scope, row);
    this.#same(`balances before the ${row.period} of ${row.start}`, rows, own);
  }

  #compareAgents(): void {
    const { durable } = this.#views;
    const rows = new Map<string, Amount>();
    for (const row of durable.all(AGENT)) add(rows, String(row.pid), { ...row, requests: row.calls });
    const own = new Map<string, Amount>();
    const tools = new Set<string | null | undefined>();
    for (const entry of durable.entries) {
      const isTool = entry.kind === 'call.start' && entry.body.kind === 'tool.call';
      if (isTool) tools.add(entry.call);
      if (isTool) add(own, String(entry.agent), { ...NO_COUNTS, requests: 1 });
      const requests = tools.has(entry.call) ? 0 : 1;
      if (entry.kind === 'call.end')
        add(own, String(entry.agent), { ...usageOf(entry), cost: Number(entry.body.cost), requests });
    }
    this.#same('agents', rows, own);
  }

  #same(what: string, rows: ReadonlyMap<string, Amount>, own: ReadonlyMap<string, Amount>): void {
    for (const scope of new Set([...rows.keys(), ...own.keys()])) {
      const [a, b] = [rows.get(scope) ?? nothing(), own.get(scope) ?? nothing()];
      for (const name of DIMENSIONS)
        if (a[name] !== b[name])
          this.#report(
            'sums',
            `${what}: ${scope} has ${a[name]} ${name} in its rows, ${b[name]} by the entries`,
          );
    }
  }
}

const NO_COUNTS = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0, cost: 0 };

function add(
  sums: Map<string, Amount>,
  key: string,
  row: Usage & { readonly cost: number; readonly requests: number },
): void {
  const sum = sums.get(key) ?? nothing();
  sum.usd += row.cost;
  sum.tokens += tokensOf(row);
  sum.output += row.output;
  sum.requests += row.requests;
  sums.set(key, sum);
}

function scopesOf({ body }: Entry, chain: readonly number[]): string[] {
  const scopes = chain.map((pid) => `agent:${pid}`);
  scopes.push(`owner:${body.owner}`);
  if (typeof body.account !== 'string') return scopes;
  // Whose money: the account itself, and the one above all of them.
  scopes.push(`account:${body.account}`, 'account:money');
  return scopes;
}

/** What the request may use at most where it runs; undefined where nothing bounds it. */
function mostOf(request: Request, backend: string): Amount | undefined {
  const isCharged = request.kind === 'model.generate' || request.kind === 'model.embed';
  if (!isCharged) return { ...nothing(), requests: 1 };
  const { most, model } = request as ModelRequest;
  if (!most) return undefined;
  const { tokensIn, tokensOut } = most;
  return {
    usd: mostFor(model, backend, tokensIn, tokensOut),
    tokens: tokensIn + tokensOut,
    output: tokensOut,
    requests: 1,
  };
}

const usageOf = ({ body }: Entry): Usage => ({
  input: Number(body.input),
  cacheRead: Number(body.cacheRead),
  cacheWrite: Number(body.cacheWrite),
  output: Number(body.output),
  reasoning: Number(body.reasoning),
});
