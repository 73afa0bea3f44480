import type { Command } from 'commander';
import type { ApprovalView } from '../../base/control.ts';
import { printDoubts } from '../doubts.ts';
import { formatAge, formatDuration } from '../format.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { asJson, asList, change, show, type ViewOptions } from '../view.ts';

interface InboxOptions extends ViewOptions {
  readonly all?: boolean;
}
interface DenyOptions extends ViewOptions {
  readonly reason?: string;
}

const columns = (nowMs: number): Column<ApprovalView>[] => [
  { head: 'APPROVAL', cell: (approval) => approval.id },
  { head: 'AGENT', cell: (approval) => approval.agentName },
  { head: 'ACTION', cell: (approval) => approval.action },
  { head: 'TARGET', cell: (approval) => approval.target },
  { head: 'ASKED', cell: (approval) => formatAge(approval.openedAt, nowMs) },
  { head: 'ENDS IN', cell: (approval) => formatDuration(approval.expiresAt - nowMs) },
  { head: 'RULE', cell: (approval) => approval.rule },
  { head: 'STATE', cell: (approval) => approval.state },
  { head: 'ARGUMENTS', cell: (approval) => JSON.stringify(approval.args) },
];

function inbox(session: Session, options: InboxOptions): Promise<void> {
  const { terminal } = session;
  return show(session, options, {
    verb: 'inbox',
    request: options.all ? { all: true } : {},
    ids: ({ approvals }) => approvals.map((approval) => approval.id),
    render: ({ approvals, doubts }) => {
      terminal.printTable(columns(session.now()), approvals);
      printDoubts(session, doubts);
      const open = approvals.find((approval) => approval.state === 'open');
      if (open && terminal.interactive)
        terminal.note(`Next: mezz approve ${open.id}, or mezz deny ${open.id}`);
    },
  });
}

const what = ({ approval }: { approval: ApprovalView }): string =>
  `${approval.action} ${approval.target} of ${approval.agentName} (${approval.id})`;

export function define(program: Command, session: Session): void {
  asList(program.command('inbox').description('calls that wait for your decision'))
    .option('-a, --all', 'also decided ones')
    .action((options: InboxOptions) => inbox(session, options));
  asJson(program.command('approve').description('permit exactly this call, once'))
    .argument('<approval...>', 'id from mezz inbox')
    .action(async (approvals: string[], options: ViewOptions) => {
      for (const approval of approvals)
        await change(session, options, 'approve', { approval }, (answer) => `approved: ${what(answer)}`);
    });
  asJson(program.command('deny').description('refuse a call that waits'))
    .argument('<approval...>', 'id from mezz inbox')
    .option('--reason <text>', 'the agent is told why')
    .action(async (approvals: string[], options: DenyOptions) => {
      for (const approval of approvals) {
        const request = { approval, ...(options.reason === undefined ? {} : { reason: options.reason }) };
        await change(session, options, 'deny', request, (answer) => `denied: ${what(answer)}`);
      }
    });
}
