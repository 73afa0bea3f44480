import type { Command } from 'commander';
import { Room } from '../checklist/room.ts';
import { shareCheckout } from '../demo/checkout.ts';
import { type Clobbered, type Counted, clobber, PARTS, toolsConfig } from '../demo/clobber.ts';
import type { Session } from '../session.ts';
import { asJson } from '../view.ts';

const count = ({ done, kept }: Counted): string => `${kept} of ${done} kept, ${done - kept} lost`;

async function showClobber(session: Session, options: { readonly json?: boolean }): Promise<void> {
  const { terminal } = session;
  terminal.note('mezz: a kernel of its own is started for this; yours is not touched');
  const { checkout, parts } = await Room.use(
    session,
    async (room) => {
      const checkout = await shareCheckout(room);
      const parts: Clobbered[] = [];
      for (const part of PARTS) parts.push(await clobber(part, room));
      return { checkout, parts };
    },
    toolsConfig,
  );
  if (options.json) return terminal.printJson({ schema: 'mezz.demo.clobber/1', checkout, parts });
  terminal.print('Four agents in one checkout, each a client that asks by hook, with a real shell and git');
  terminal.printTable(
    [
      { head: 'WHAT', cell: ({ what }) => what },
      { head: 'DIRECT', cell: ({ direct }) => count(direct) },
      { head: 'MEZZ', cell: ({ mezz }) => count(mezz) },
    ],
    checkout,
  );
  for (const { what, told } of checkout)
    if (told !== '') terminal.print(terminal.style('dim', `${what}: ${told}`));
  terminal.print('', 'Eight agents and the official tool servers');
  terminal.printTable(
    [
      { head: 'SERVER', cell: ({ server, version }) => `${server} ${version}` },
      { head: 'AT ONCE', cell: ({ calls, tool, agents }) => `${calls} ${tool} by ${agents} agents` },
      { head: 'DIRECT', cell: ({ direct }) => count(direct) },
      { head: 'MEZZ', cell: ({ mezz }) => count(mezz) },
      { head: 'WAITED', cell: ({ waited }) => `${waited} calls` },
    ],
    parts,
  );
  terminal.print(
    '',
    'Both columns are the same calls to the same unmodified server, counted in its file; each was answered as a success.',
  );
}

export function define(program: Command, session: Session): void {
  const demo = program.command('demo').description('what mezz does, shown on real programs');
  asJson(
    demo
      .command('clobber')
      .description('agents at once in one checkout, and with the official memory and filesystem servers'),
  ).action((options: { json?: boolean }) => showClobber(session, options));
}
