import type { Command } from 'commander';
import type { BillRow, LimitView, WindowView } from '../../base/control.ts';
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

const PERIODS = ['total', 'day', 'month'] as const;
const DIMENSIONS = ['usd', 'tokens', 'requests', 'output'] as const;
const GROUPS = ['agent', 'account', 'model', 'day', 'owner'] as const;

interface BillOptions extends ViewOptions {
  readonly by: (typeof GROUPS)[number];
  readonly since?: string;
  readonly agent?: string;
}
interface LimitOptions extends ViewOptions {
  readonly of: LimitView['dimension'];
  readonly period: LimitView['period'];
  readonly strict?: boolean;
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

const LIMIT_COLUMNS: Column<LimitView>[] = [
  { head: 'SCOPE', cell: (limit) => limit.scope },
  { head: 'OF', cell: (limit) => limit.dimension },
  { head: 'PERIOD', cell: (limit) => limit.period },
  { head: 'USED', cell: (limit) => amount(limit, limit.used), right: true },
  { head: 'HELD', cell: (limit) => amount(limit, limit.held), right: true },
  { head: 'CAP', cell: (limit) => amount(limit, limit.cap), right: true },
  { head: 'STRICT', cell: (limit) => (limit.strict ? 'yes' : 'no') },
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
  { head: 'SEEN', cell: (window) => formatAge(window.seenAt, nowMs) },
];

function listLimits(session: Session, scope: string | undefined, options: ViewOptions): Promise<void> {
  const { terminal } = session;
  return show(session, options, {
    verb: 'limits',
    request: scope === undefined ? {} : { scope },
    ids: ({ limits }) => limits.map((limit) => limit.id),
    render: ({ limits, windows }) => {
      terminal.printTable(LIMIT_COLUMNS, limits);
      if (windows.length === 0) return;
      terminal.print('');
      terminal.printTable(windowColumns(session.now()), windows);
    },
  });
}

/** A cap in the unit of its dimension, or null for "none". */
export function parseCap(text: string, dimension: LimitView['dimension']): number | null {
  if (text === 'none') return null;
  return dimension === 'usd' ? parseMoney(text) : parseCount(text);
}

async function setLimit(session: Session, scope: string, cap: string, options: LimitOptions): Promise<void> {
  if (!/^(account|agent|owner):./.test(scope))
    throw new UsageFailure(
      `"${scope}" is not a scope`,
      'write it as account:<id>, agent:<pid> or owner:<id>',
    );
  const request = {
    scope,
    dimension: options.of,
    period: options.period,
    cap: parseCap(cap, options.of),
    ...(options.strict ? { strict: true } : {}),
  };
  await change(session, options, 'limit.set', request, ({ limit }) =>
    limit === null
      ? `${scope} has no limit on ${options.of} (${options.period})`
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
    dimension: 'usd',
    period: 'total',
    cap: wanted,
    ...(options.strict ? { strict: true } : {}),
  } as const;
  await change(session, options, 'limit.set', request, ({ limit }) =>
    limit === null
      ? `${agent.name} has no budget of its own`
      : `${agent.name} may spend ${formatMoney(limit.cap)}, ${formatMoney(limit.used)} is spent`,
  );
}

export function define(program: Command, session: Session): void {
  asList(program.command('bill').description('what was used and what it cost'))
    .option('--by <what>', GROUPS.join(', '), oneOf(GROUPS), 'agent')
    .option('--since <time>', '2h, today, or a date')
    .option('--agent <agent>', 'of one agent and its sub-agents: pid, name, or the beginning of a name')
    .action((options: BillOptions) => bill(session, options));
  asJson(program.command('budget').description('give an agent an amount of money for its whole life'))
    .argument('<agent>', 'pid, name, or the beginning of a name')
    .argument('<amount>', '5usd, $5, 0.50, or none')
    .option('--strict', 'refuse calls whose cost has no proven bound')
    .action((agent: string, cap: string, options: LimitOptions) => setBudget(session, agent, cap, options));
  const limit = program.command('limit').description('caps on money, tokens and requests');
  asList(limit.command('ls', { isDefault: true }).description('list limits and plan windows'))
    .argument('[scope]', 'account:<id>, agent:<pid> or owner:<id>')
    .action((scope: string | undefined, options: ViewOptions) => listLimits(session, scope, options));
  asJson(limit.command('set').description('set a cap, or remove it with the cap "none"'))
    .argument('<scope>', 'account:<id>, agent:<pid> or owner:<id>')
    .argument('<cap>', '5usd, 2M, 500, or none')
    .option('--of <what>', DIMENSIONS.join(', '), oneOf(DIMENSIONS), 'usd')
    .option('--period <period>', PERIODS.join(', '), oneOf(PERIODS), 'total')
    .option('--strict', 'refuse calls whose use has no proven bound')
    .action((scope: string, cap: string, options: LimitOptions) => setLimit(session, scope, cap, options));
}
