/** The verb that says what a model takes and what agents of a client are known to send, before one is started. */
import { CALL } from '../../db/schema/journal.ts';
import type { Gate } from '../../gate/gate.ts';
import { LIMITS } from '../limits.ts';
import type { Handlers } from './context.ts';

export const windowVerbs: Handlers<'window'> = {
  async window({ gate }, { model, client }) {
    const { catalog } = gate.parts;
    const route = catalog.route(model);
    const backend = route && catalog.backends.get(route.backends[0] ?? ('' as never));
    return {
      model: route ? (route.alias ?? model) : null,
      url: backend?.url ?? null,
      window: route ? (catalog.windowOf(model) ?? null) : null,
      seen: await seenOf(gate, client),
    };
  },
};

/**
 * The middle one of the fullest among the first requests of the client's last agents: clients send small requests
 * beside their conversation, and an agent that goes on with an old one sends more than others.
 */
async function seenOf({ parts }: Gate, client: string): Promise<{ tokens: number; agents: number } | null> {
  const agents = [...parts.agents.all()]
    .filter((agent) => agent.hosted === 1 && agent.calls > 0 && isOf(client, agent.client))
    .slice(-LIMITS.seenAgents.value);
  const firsts = await Promise.all(
    agents.map(async ({ pid }) => {
      const calls = await parts.store.range(CALL, {
        by: ['agent', 'arrivedAt'],
        prefix: [pid],
        limit: LIMITS.sheetRequests.value,
      });
      const sizes = calls
        .filter(({ kind }) => kind === 'model.generate')
        .map(({ input, cacheRead, cacheWrite }) => input + cacheRead + cacheWrite);
      return Math.max(0, ...sizes);
    }),
  );
  const known = firsts.filter((tokens) => tokens > 0).sort((a, b) => a - b);
  if (known.length < LIMITS.seenLeast.value) return null;
  return { tokens: known[Math.floor((known.length - 1) / 2)] as number, agents: known.length };
}

/** A client is known by its program's name first, by what its headers say later: `claude`, `claude-code`. */
const isOf = (client: string, seen: string): boolean => seen === client || seen.startsWith(`${client}-`);
