/** What an agent sees of the tools: not what no access policy ever lets it call. */
import type { KeyHolder } from '../agents/resolve.ts';
import type { Agent } from '../agents/table.ts';
import type { Refusal } from '../base/errors.ts';
import type { Offer } from '../tools/servers.ts';
import { type View, viewOf } from '../tools/view.ts';
import type { Parts } from './parts.ts';
import { principals } from './question.ts';
import { toolResource } from './syscalls.ts';

/** Tools that the policies refuse to the agent whatever it asks; none of a prompt. */
export function isNever({ access, agents }: Parts, agent: Agent, { kind, server, tool }: Offer): boolean {
  const chain = principals(agents.chain(agent));
  const resource = toolResource({ server, tool });
  return kind === 'tool' && access.never({ chain, action: 'tool.call', resource });
}

/** One client's: the same key at the same address. */
export const clientOf = ({ keyId }: KeyHolder, only: string | undefined): string => `${keyId}/${only ?? ''}`;

/** The lists as this client sees them, and remembered as shown. */
export async function showTo(
  parts: Parts,
  caller: KeyHolder,
  only: string | undefined,
): Promise<View | Refusal> {
  const agent = caller.pid === null ? undefined : parts.agents.get(caller.pid);
  const view = await viewOf(
    parts.servers,
    only,
    (offer) => agent !== undefined && isNever(parts, agent, offer),
  );
  if (!('code' in view)) parts.shown.listed(clientOf(caller, only), view.offers);
  return view;
}
