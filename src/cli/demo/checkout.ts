/** Four agents in one checkout, with and without mezz: unmodified coding agents where they are installed. */
import { join } from 'node:path';
import { Room } from '../checklist/room.ts';
import type { Session } from '../session.ts';
import { CLIENTS, type Client, crewOf, findClients, VERSIONS, versionOf } from './clients.ts';
import type { Counted } from './clobber.ts';
import { modelOf, standIns, withMezz, withoutMezz } from './crew.ts';
import { NAMES, type Outcome, Plan, type Refused, STORIES, type Story } from './plan.ts';

export interface Shared {
  /** Who the four are; `client` is empty for a shell that stands in. */
  readonly agents: readonly { readonly name: string; readonly client: string }[];
  /** What would be unmodified clients, were it installed. */
  readonly missing: readonly { readonly client: string; readonly package: string }[];
  readonly stories: readonly {
    readonly story: Story;
    readonly what: string;
    readonly direct: Counted;
    readonly mezz: Counted;
  }[];
  readonly refused: { readonly direct: readonly Refused[]; readonly mezz: readonly Refused[] };
}

interface Both {
  readonly direct: Outcome;
  readonly mezz: Outcome;
}

/** Model calls of all clients at once. */
const SLOTS = 16;

export async function shareCheckout(session: Session): Promise<Shared> {
  const found = findClients(session.env);
  const { direct, mezz } =
    found.length === 0 ? await Room.use(session, standIns) : await real(session, found);
  const crew = found.length === 0 ? undefined : crewOf(found, NAMES);
  const missing = CLIENTS.filter((client) => !found.includes(client));
  return {
    agents: NAMES.map((name) => ({ name, client: nameOf(crew?.get(name), session) })),
    missing: missing.map((client) => ({
      client: client.name,
      package: `${client.package}@${VERSIONS[client.package]}`,
    })),
    stories: [...direct.stories].flatMap(([story, counted]) => {
      const other = mezz.stories.get(story);
      return other ? [{ story, what: STORIES[story], direct: counted, mezz: other }] : [];
    }),
    refused: { direct: direct.refused, mezz: mezz.refused },
  };
}

const nameOf = (client: Client | undefined, { env }: Session): string =>
  client ? `${client.name} ${versionOf(client, env)}`.trim() : '';

async function real(session: Session, found: readonly Client[]): Promise<Both> {
  const { env } = session;
  let plan: Plan | undefined;
  const says = modelOf(() => plan, crewOf(found, NAMES));
  return Room.use(
    session,
    async (room) => {
      const direct = await withoutMezz(found, env, room.directory);
      plan = await Plan.begin(join(room.directory, 'together'), true);
      return { direct, mezz: await withMezz(found, env, room, plan) };
    },
    { model: { says, slots: SLOTS } },
  );
}
