import type { Command } from 'commander';
import { Room } from '../checklist/room.ts';
import { type Shared, shareCheckout } from '../demo/checkout.ts';
import { type Clobbered, type Counted, clobber, PARTS, toolsConfig } from '../demo/clobber.ts';
import type { Refused } from '../demo/plan.ts';
import type { Session } from '../session.ts';
import type { Terminal } from '../terminal.ts';
import { asJson } from '../view.ts';

const count = ({ done, kept }: Counted): string =>
  `${kept} of ${done} kept, ${Math.max(0, done - kept)} lost`;

const REFUSER: { readonly [B in Refused['by']]: string } = {
  mezz: 'mezz',
  git: 'git',
  client: 'the client itself',
};

function printRefused(terminal: Terminal, how: string, refused: readonly Refused[]): void {
  for (const { agent, act, by, told } of refused)
    terminal.print(
      terminal.style(
        'dim',
        `${how}: ${agent}, ${act}: refused by ${REFUSER[by]}: ${told.replace(/^mezz: /, '')}`,
      ),
    );
}

function printCheckout(terminal: Terminal, { agents, missing, stories, refused }: Shared): void {
  const isReal = agents.some(({ client }) => client !== '');
  terminal.print(
    isReal
      ? `Four unmodified coding agents in one checkout: ${agents.map(({ name, client }) => `${name} is ${client}`).join(', ')}. Their model is a script.`
      : 'Four shells in one checkout, which ask mezz as coding agents do by hook',
  );
  terminal.printTable(
    [
      { head: 'WHAT', cell: ({ what }) => what },
      { head: 'DIRECT', cell: ({ direct }) => count(direct) },
      { head: 'MEZZ', cell: ({ mezz }) => count(mezz) },
    ],
    stories,
  );
  printRefused(terminal, 'direct', refused.direct);
  printRefused(terminal, 'with mezz', refused.mezz);
  if (missing.length > 0)
    terminal.print(
      `${isReal ? 'Not' : 'No coding agent is'} installed${isReal ? `: ${missing.map(({ client }) => client).join(', ')}` : ' here, so shells stand in for them'}. To see it with the real ones: npm install -g ${missing.map((one) => one.package).join(' ')}`,
    );
}

function printServers(terminal: Terminal, parts: readonly Clobbered[]): void {
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

async function clobberAll(room: Room): Promise<Clobbered[]> {
  const parts: Clobbered[] = [];
  for (const part of PARTS) parts.push(await clobber(part, room));
  return parts;
}

async function showClobber(session: Session, options: { readonly json?: boolean }): Promise<void> {
  const { terminal } = session;
  terminal.note('mezz: a kernel of its own is started for this; yours is not touched');
  const checkout = await shareCheckout(session);
  const settings = (directory: string) => toolsConfig(directory);
  const parts = await Room.use(session, clobberAll, { settings });
  if (options.json) return terminal.printJson({ schema: 'mezz.demo.clobber/2', checkout, parts });
  printCheckout(terminal, checkout);
  printServers(terminal, parts);
}

export function define(program: Command, session: Session): void {
  const demo = program.command('demo').description('what mezz does, shown on real programs');
  asJson(
    demo
      .command('clobber')
      .description('agents at once in one checkout, and with the official memory and filesystem servers'),
  ).action((options: { json?: boolean }) => showClobber(session, options));
}
