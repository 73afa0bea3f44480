import type { Command } from 'commander';
import type { LockView, ToolEventView } from '../../base/tools.ts';
import { formatDuration } from '../format.ts';
import type { Session } from '../session.ts';
import { asList, show, type ViewOptions } from '../view.ts';

const NOTICED: { readonly [K in ToolEventView['kind']]: string } = {
  stale: 'refused: it would have undone what another agent did',
  round: 'changed round mezz',
  lost: 'another agent’s change may be undone by a command that mezz cannot read',
  conflict: 'waited: the other had the key, or came first for it',
  full: 'waited: as many calls ran there as may',
  absorbed: 'repeated, and answered from the ledger',
  overrun: 'kept until the bound: its end was never told',
};

const keysOf = ({ keys }: LockView): string =>
  keys.map(({ key, access, guessed }) => `${key} (${guessed ? 'may be written' : access})`).join(', ');

function locks(session: Session, agent: string | undefined, options: ViewOptions & { events?: boolean }) {
  const { terminal } = session;
  return show(session, options, {
    verb: 'locks',
    request: agent === undefined ? {} : { agent },
    ids: ({ held }) => held.map(({ call }) => call),
    render: ({ held, waiting, counts, events }) => {
      terminal.printTable(
        [
          { head: 'CALL', cell: ({ call }) => call },
          { head: 'AGENT', cell: ({ agent: pid, name }) => `${name} (${pid})` },
          { head: 'TOOL', cell: ({ tool }) => tool },
          { head: 'HELD', cell: ({ heldMs }) => formatDuration(heldMs), right: true },
          { head: 'KEYS', cell: keysOf },
        ],
        held,
      );
      for (const wait of waiting)
        terminal.print(
          `${wait.call} of agent ${wait.agent} waits ${formatDuration(wait.sinceMs)} for ${wait.resource}`,
          ...wait.reasons.map((reason) => `  ${reason}`),
        );
      terminal.print(
        '',
        `Since the kernel started: ${counts.waits} waited, ${counts.conflicts} of them for a call that they would have met, ${counts.stale} refused as stale, ${counts.round} changed round mezz, ${counts.lost} perhaps undone, ${counts.overrun} kept until the bound, ${counts.absorbed} repetitions absorbed; ${counts.known} keys known`,
      );
      if (options.events)
        terminal.printTable(
          [
            { head: 'WHEN', cell: ({ at }) => `${formatDuration(session.now() - at)} ago`, right: true },
            { head: 'AGENT', cell: ({ agent: pid }) => String(pid) },
            { head: 'OTHER', cell: ({ other }) => (other === 0 ? '' : String(other)) },
            { head: 'CALL', cell: ({ call }) => call },
            { head: 'KEY', cell: ({ key }) => key },
            { head: 'WHAT', cell: ({ kind }) => NOTICED[kind] },
          ],
          events,
        );
    },
  });
}

export function define(program: Command, session: Session): void {
  asList(program.command('locks').description('which tool calls hold what, who waits, and what was noticed'))
    .argument('[agent]', 'pid, name, or the beginning of a name')
    .option('--events', 'also each of these by its call')
    .action((agent: string | undefined, options: ViewOptions & { events?: boolean }) =>
      locks(session, agent, options),
    );
}
