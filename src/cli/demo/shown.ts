/** The demonstration as evidence: one sentence and the calls that show it, for the checklist. */
import { Room } from '../checklist/room.ts';
import type { Crowd, Shown } from '../checklist/subject.ts';
import type { Session } from '../session.ts';
import { shareCheckout } from './checkout.ts';
import { type Counted, clobber, PARTS, type Part, toolsConfig } from './clobber.ts';

const lostOf = ({ done, kept }: Counted): number => Math.max(0, done - kept);
const CALL = /call (c[0-9a-z]{16})/;

async function checkout(session: Session): Promise<Shown> {
  const { agents, stories, refused } = await shareCheckout(session);
  const clients = new Set(agents.map(({ client }) => client || 'a shell that asks as a coding agent does'));
  const tell = stories.map(
    ({ what, direct, mezz }) =>
      `${what}: ${lostOf(direct)} of ${direct.done} lost, ${lostOf(mezz)} with mezz`,
  );
  const byMezz = refused.mezz.filter(({ by }) => by === 'mezz');
  return {
    saw: `four agents (${[...clients].join(', ')}): ${tell.join('; ')}; ${byMezz.length} times an agent was told by whom`,
    lost: stories.reduce((sum, { mezz }) => sum + lostOf(mezz), 0),
    lostAlone: stories.reduce((sum, { direct }) => sum + lostOf(direct), 0),
    calls: [...new Set(byMezz.flatMap(({ told }) => CALL.exec(told)?.[1] ?? []))],
  };
}

async function server(session: Session, part: Part): Promise<Shown> {
  const settings = (directory: string) => toolsConfig(directory, [part]);
  const shown = await Room.use(session, (room) => clobber(part, room), { settings });
  const { server: name, version, tool, agents, calls, direct, mezz, last } = shown;
  return {
    saw: `${calls} ${tool} at once by ${agents} agents at ${name} ${version}: ${lostOf(direct)} lost, ${lostOf(mezz)} with mezz`,
    lost: lostOf(mezz),
    lostAlone: lostOf(direct),
    calls: last,
  };
}

const partOf = (name: Part['server']): Part => PARTS.find((part) => part.server === name) as Part;

export const crowdOf = (session: Session): Crowd => ({
  checkout: () => checkout(session),
  memory: () => server(session, partOf('memory')),
  filesystem: () => server(session, partOf('filesystem')),
});
