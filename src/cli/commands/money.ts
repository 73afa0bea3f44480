import type { Command } from 'commander';
import type { BillRow, LimitView, RateView, ReserveView, WindowView } from '../../base/money.ts';
import { UsageFailure } from '../exit.ts';
import {
  formatAge,
  formatAmount,
  formatCount,
  formatMoney,
  formatTime,
  formatUsage,
  parseCount,
  parseMoney,
  parseSince,
} from '../format.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { asJson, asList, change, show, type ViewOptions } from '../view.ts';

const PERIODS = ['total', 'day', 'month', '5h', '7d'] as const;
const DIMENSIONS = ['usd', 'tokens', 'requests', 'output', 'share'] as const;
const GROUPS = ['agent', 'account', 'model', 'day', 'owner'] as const;

interface BillOptions extends ViewOptions {
  readonly by: (typeof GROUPS)[number];
  readonly since?: string;
  readonly agent?: string;
}
interface LimitOptions extends ViewOptions {
  readonly of?: LimitView['dimension'];
  readonly per: LimitView['period'];
  readonly strict?: boolean;
  readonly reserve?: string;
}

const oneOf =
  <Word extends string>(words: readonly Word[]) =>
  (text: string): Word => {
    const word = words.find((known) => known === text);
    if (word) return word;
    throw new UsageFailure(`"${text}" is none of ${words.join(', ')}`, `one of: ${words.join(', ')}`);
  };

const BILL_COLUMNS = (by: string): Column<BillRow>[] => [
  { head: by.toUpperCase(), cell: (row) => (row.name === null ? row.key || '-' : `${row.key} ${row.name}`) },
  { head: 'REQUESTS', cell: (row) => formatCount(row.requests), right: true },
  { head: 'IN/OUT', cell: (row) => formatUsage(row.usage), right: true },
  { head: 'CACHED', cell: (row) => formatCount(row.usage.cacheRead), right: true },
  { head: 'COST', cell: (row) => formatMoney(row.cost), right: true },
];

function bill(session: Session, options: BillOptions): Promise<void> {
  const { terminal } = session;
  return show(session, options, {
    verb: 'bill',
    request: {
      by: options.by,
      ...(options.since === undefined ? {} : { since: parseSince(options.since, session.now()) }),
      ...(options.agent === undefined ? {} : { agent: options.agent }),
    },
    ids: ({ rows }) => rows.map((row) => row.key),
    render: ({ rows, total, estimateError }) => {
      terminal.printTable(BILL_COLUMNS(options.by), [...rows, { ...total, key: 'total' }]);
      if (estimateError !== null)
        terminal.note(
          `The estimates that limits reserve were off by ${(estimateError * 100).toFixed(1)} % of what calls used, on average.`,
        );
    },
  });
}

const amount = (limit: LimitView, value: number): string => formatAmount(limit.dimension, value);

const limitColumns = (nowMs: number): Column<LimitView>[] => [
  { head: 'SCOPE', cell: (limit) => limit.scope },
  { head: 'OF', cell: (limit) => limit.dimension },
  { head: 'PERIOD', cell: (limit) => limit.period },
  { head: 'USED', cell: (limit) => amount(limit, limit.used), right: true },
  { head: 'HELD', cell: (limit) => amount(limit, limit.held), right: true },
  { head: 'CAP', cell: (limit) => amount(limit, limit.cap), right: true },
  { head: 'STRICT', cell: (limit) => (limit.strict ? 'yes' : 'no') },
  { head: 'RESETS', cell: (limit) => (limit.resetsAt === null ? '-' : formatTime(limit.resetsAt, nowMs)) },
  { head: 'SET BY', cell: (limit) => (limit.source === 'config' ? 'mezz.yaml' : 'operator') },
];

const windowColumns = (nowMs: number): Column<WindowView>[] => [
  { head: 'ACCOUNT', cell: (window) => window.account },
  { head: 'PLAN WINDOW', cell: (window) => window.name },
  { head: 'USED', cell: (window) => `${(window.usedShare * 100).toFixed(0)} %`, right: true },
  {
    head: 'RESETS',
    cell: (window) => (window.resetsAt === null ? '-' : formatTime(window.resetsAt, nowMs)),
  },
  { head: 'STATUS', cell: (window) => window.status ?? '-' },
  { head: 'FULL', cell: (window) => (window.fullAt === null ? '-' : formatTime(window.fullAt, nowMs)) },
  { head: 'SEEN', cell: (window) => formatAge(window.seenAt, nowMs) },
];

const RESERVE_COLUMNS: Column<ReserveView>[] = [
  { head: 'ACCOUNT', cell: (reserve) => reserve.account },
  { head: 'PLAN WINDOW', cell: (reserve) => reserve.span },
  { head: 'KEPT', cell: (reserve) => `${reserve.percent} %`, right: true },
  { head: 'FOR', cell: (reserve) => reserve.who },
];

const PER: Readonly<Partial<Record<RateView['of'], string>>> = { streams: 'at once', usd: 'an hour' };

const RATE_COLUMNS: Column<RateView>[] = [
  { head: 'RATE LIMIT', cell: (rate) => rate.limit },
  { head: 'OF', cell: (rate) => `${rate.of} ${PER[rate.of] ?? 'a minute'}` },
  {
    head: 'MOST',
    cell: ({ of, most }) => formatAmount(of === 'usd' ? of : 'tokens', Math.round(most)),
    right: true,
  },
  {
    head: 'LEFT',
    cell: ({ of, left }) => formatAmount(of === 'usd' ? of : 'tokens', Math.round(left)),
    right: true,
  },
  { head: 'FROM', cell: (rate) => rate.from },
];

function forecastText({ account, name, fullAt, first }: WindowView, nowMs: number): string {
  const who = first.length === 0 ? '' : `; ${first.join(', ')} would wait first`;
  return `At this rate the ${name} window of ${account} is full at ${formatTime(fullAt ?? nowMs, nowMs)}${who}.`;
}

/** `fix=30%`, `owner:ann=20%`: a part of the account's windows that is for nobody else. */
async function reserve(session: Session, scope: string, text: string, options: LimitOptions): Promise<void> {
  const [, who = '', percent] = /^(.+)=(\d{1,3})\s*%?$/.exec(text.trim()) ?? [];
  const [, account] = /^account:(.+)$/.exec(scope) ?? [];
  if (percent === undefined) throw new UsageFailure(`"${text}" is no reservation`, 'write it as fix=30%');
  if (account === undefined)
    throw new UsageFailure(`"${scope}" is no account`, 'a part is of an account: account:<id>');
  const spans = options.per === '5h' || options.per === '7d' ? [options.per] : (['5h', '7d'] as const);
  const named = /^(agent|owner):/.test(who) ? who : `agent:${who}`;
  for (const span of spans) {
    const request = { account, span, who: named, percent: Number(percent) };
    await change(session, options, 'limit.reserve', request, () =>
      request.percent === 0
        ? `nothing of the ${span} window of ${account} is kept for ${named} any more`
        : `${percent} % of the ${span} window of ${account} is kept for ${named}`,
    );
  }
}

function listLimits(session: Session, scope: string | undefined, options: ViewOptions): Promise<void> {
  const { terminal } = session;
  return show(session, options, {
    verb: 'limits',
    request: scope === undefined ? {} : { scope },
    ids: ({ limits }) => limits.map((limit) => limit.id),
    render: ({ limits, windows, reserves, rates }) => {
      terminal.printTable(limitColumns(session.now()), limits);
      if (windows.length > 0) {
        terminal.print('');
        terminal.printTable(windowColumns(session.now()), windows);
      }
      if (reserves.length > 0) {
        terminal.print('');
        terminal.printTable(RESERVE_COLUMNS, reserves);
      }
      if (rates.length > 0) {
        terminal.print('');
        terminal.printTable(RATE_COLUMNS, rates);
      }
      for (const window of windows)
        if (window.fullAt !== null) terminal.note(forecastText(window, session.now()));
    },
  });
}

/** A cap in the unit of its dimension, or null for "none". */
export function parseCap(text: string, dimension: LimitView['dimension']): number | null {
  if (text === 'none') return null;
  if (dimension === 'usd') return parseMoney(text);
  const percent = dimension === 'share' ? /^(\d{1,3})\s*%?$/.exec(text.trim())?.[1] : undefined;
  if (dimension === 'share' && percent === undefined)
    throw new UsageFailure(`"${text}" is not a share of a plan`, 'write it as 80%');
  return percent === undefined ? parseCount(text) : Number(percent);
}

async function setLimit(session: Session, scope: string, cap: string, options: LimitOptions): Promise<void> {
  if (!/^(account|agent|owner):./.test(scope))
    throw new UsageFailure(
      `"${scope}" is not a scope`,
      'write it as account:<id>, agent:<pid> or owner:<id>',
    );
  const dimension = options.of ?? (cap.trim().endsWith('%') ? 'share' : 'usd');
  const request = {
    scope,
    dimension,
    period: options.per,
    cap: parseCap(cap, dimension),
    ...(options.strict ? { strict: true } : {}),
  };
  await change(session, options, 'limit.set', request, ({ limit }) =>
    limit === null
      ? `${scope} has no limit on ${dimension} (${options.per})`
      : `${scope}: at most ${amount(limit, limit.cap)} ${limit.dimension} (${limit.period}), ${amount(limit, limit.used)} used`,
  );
}

async function setBudget(
  session: Session,
  selector: string,
  cap: string,
  options: LimitOptions,
): Promise<void> {
  const wanted = parseCap(cap, 'usd');
  const { agent } = await session.control.call('agent.show', { agent: selector });
  const request = {
    scope: `agent:${agent.pid}`,
    dimension: 'usd' as const,
    period: options.per,
    cap: wanted,
    ...(options.strict ? { strict: true } : {}),
  };
  await change(session, options, 'limit.set', request, ({ limit }) =>
    limit === null
      ? `${agent.name} has no budget of its own`
      : `${agent.name} may spend ${formatMoney(limit.cap)}${limit.period === 'total' ? '' : ` (${limit.period})`}, ${formatMoney(limit.used)} is spent`,
  );
}

export function define(program: Command, session: Session): void {
  asList(program.command('bill').description('what was used and what it cost'))
    .option('--by <what>', GROUPS.join(', '), oneOf(GROUPS), 'agent')
    .option('--since <time>', '2h, today, or a date')
    .option('--agent <agent>', 'of one agent and its sub-agents: pid, name, or the beginning of a name')
    .action((options: BillOptions) => bill(session, options));
  asJson(program.command('budget').description('give an agent an amount of money'))
    .argument('<agent>', 'pid, name, or the beginning of a name')
    .argument('<amount>', '5usd, $5, 0.50, or none')
    .option('--per <period>', `${PERIODS.join(', ')}: 5h and 7d are plan windows`, oneOf(PERIODS), 'total')
    .option('--strict', 'refuse calls whose cost has no proven bound')
    .action((agent: string, cap: string, options: LimitOptions) => setBudget(session, agent, cap, options));
  const limit = program
    .command('limit')
    .description('caps on money, tokens, requests and shares of plans: mezz limit <scope> <cap>');
  withCap(asList(limit))
    .argument('[scope]', 'account:<id>, agent:<pid> or owner:<id>')
    .argument('[cap]', '5usd, 2M, 500, 80%, or none; without it the limits are listed')
    .action((scope: string | undefined, cap: string | undefined, options: LimitOptions) =>
      scope === undefined || cap === undefined
        ? listLimits(session, scope, options)
        : setLimit(session, scope, cap, options),
    );
  asList(limit.command('ls').description('list limits, plan windows and rate limits as they stand'))
    .argument('[scope]', 'account:<id>, agent:<pid> or owner:<id>')
    .action((scope: string | undefined, options: ViewOptions) => listLimits(session, scope, options));
  withCap(asJson(limit.command('set').description('set a cap, or remove it with the cap "none"')))
    .argument('<scope>', 'account:<id>, agent:<pid> or owner:<id>')
    .argument('[cap]', '5usd, 2M, 500, 80%, or none')
    .option('--reserve <who=share>', 'keep a part of the plan windows of an account for an agent: fix=30%')
    .action((scope: string, cap: string | undefined, options: LimitOptions) => {
      if (options.reserve !== undefined) return reserve(session, scope, options.reserve, options);
      if (cap === undefined) throw new UsageFailure('there is no cap', 'mezz limit set <scope> <cap>');
      return setLimit(session, scope, cap, options);
    });
}

const withCap = (command: Command): Command =>
  command
    .option(
      '--of <what>',
      `${DIMENSIONS.join(', ')}; by default usd, or share where the cap is a percentage`,
      oneOf(DIMENSIONS),
    )
    .option('--per <period>', `${PERIODS.join(', ')}: 5h and 7d are plan windows`, oneOf(PERIODS), 'total')
    .option('--strict', 'refuse calls whose use has no proven bound');
