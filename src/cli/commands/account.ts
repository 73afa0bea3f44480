import type { Command } from 'commander';
import type { AccountView, LimitView, WindowView } from '../../base/money.ts';
import { formatAmount, formatCount, formatMoney, formatUsage } from '../format.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { inTree } from '../tree.ts';
import { asList, show, type ViewOptions } from '../view.ts';

const limitText = (limit: LimitView): string =>
  `${formatAmount(limit.dimension, limit.used)} of ${formatAmount(limit.dimension, limit.cap)} ${limit.dimension} (${limit.period})`;

const windowText = (window: WindowView): string => `${window.name} ${(window.usedShare * 100).toFixed(0)} %`;

const ACCOUNT_COLUMNS: Column<AccountView & { readonly shown: string }>[] = [
  { head: 'ACCOUNT', cell: (account) => account.shown },
  { head: 'KIND', cell: (account) => account.kind },
  { head: 'PROVIDER', cell: (account) => account.provider || '-' },
  { head: 'OWNER', cell: (account) => account.owner ?? '-' },
  { head: 'REQUESTS', cell: (account) => formatCount(account.used.requests), right: true },
  { head: 'IN/OUT', cell: (account) => formatUsage(account.used.usage), right: true },
  { head: 'COST', cell: (account) => formatMoney(account.used.cost), right: true },
  { head: 'LIMITS', cell: (account) => account.limits.map(limitText).join(', ') || '-' },
  { head: 'PLAN', cell: (account) => account.windows.map(windowText).join(', ') || '-' },
];

export function define(program: Command, session: Session): void {
  asList(
    program.command('account').description('accounts as a tree: whose money or plan, what it used'),
  ).action((options: ViewOptions) =>
    show(session, options, {
      verb: 'accounts',
      request: {},
      ids: ({ accounts }) => accounts.map((account) => account.id),
      render: ({ accounts }) =>
        session.terminal.printTable(
          ACCOUNT_COLUMNS,
          inTree(accounts, (one) => one.id),
        ),
    }),
  );
}
