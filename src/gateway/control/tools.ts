/** Verbs about tool servers: what they offer, how they are, and accepting what they changed. */

import { refusal } from '../../base/errors.ts';
import type { ToolView } from '../../base/tools.ts';
import type { Gate } from '../../gate/gate.ts';
import { isNever } from '../../gate/sight.ts';
import { callsAt } from '../../tools/rates.ts';
import type { Offer } from '../../tools/servers.ts';
import { type Handlers, selectAgent } from './context.ts';
import { type LoginVerb, loginVerbs } from './logins.ts';
import { type ManifestVerb, manifestVerbs } from './manifests.ts';

const viewOf = ({ name, server, tool, digest, state, definition }: Offer): ToolView => ({
  ...{ name, server, tool, digest, state },
  text: typeof definition.description === 'string' ? definition.description : '',
});

export const toolVerbs: Handlers<
  | 'tools'
  | 'tool.servers'
  | 'tool.call'
  | 'tool.resolve'
  | 'tool.import'
  | 'tool.diff'
  | 'tool.accept'
  | ManifestVerb
  | LoginVerb
> = {
  ...manifestVerbs,
  ...loginVerbs,

  async tools(context, { agent: selector }) {
    const { parts } = context.gate;
    const agent = selector === undefined ? undefined : selectAgent(context, selector);
    if (agent && 'code' in agent) return agent;
    const { offers, problems } = await parts.servers.list();
    const seen = agent
      ? offers.filter((offer) => offer.state === 'accepted' && !isNever(parts, agent, offer))
      : offers;
    return { tools: seen.map(viewOf), problems: problems.map(({ message }) => message) };
  },

  async 'tool.servers'({ gate }) {
    return { servers: [...gate.parts.servers.all()].map((server) => serverView(gate, server)) };
  },

  async 'tool.call'(context, { agent: selector, name, args }) {
    const agent = selectAgent(context, selector);
    if ('code' in agent) return agent;
    const outcome = await context.callTool(agent, name, args);
    if ('code' in outcome) return outcome;
    if (outcome.kind === 'called' && outcome.error)
      return refusal('failed', `${name}: ${outcome.error.message}`);
    return outcome.kind === 'called'
      ? { result: outcome.result, isError: outcome.isError }
      : refusal('failed', `${name} was let go and not called.`);
  },

  async 'tool.resolve'(context, { call, as }) {
    const outcome = await context.resolveCall(call, as);
    if (!('code' in outcome)) {
      const isError = outcome.kind === 'called' && outcome.isError;
      return { call, outcome: isError ? 'failed' : 'done', text: '' };
    }
    if (as === 'abandon' && outcome.code === 'cancelled')
      return { call, outcome: 'given_up', text: outcome.message };
    return outcome;
  },

  'tool.import': ({ importTools }, { files, write }) => importTools(files, write),

  async 'tool.diff'({ gate }, { server }) {
    const changes = await gate.parts.servers.changes(server);
    return 'code' in changes ? changes : { changes: [...changes] };
  },

  async 'tool.accept'({ gate }, { server }) {
    const accepted = await gate.parts.servers.accept(server);
    return 'code' in accepted ? accepted : { tools: accepted.map(viewOf) };
  },
};

function serverView(
  gate: Gate,
  server: ReturnType<Gate['parts']['servers']['all']> extends Iterable<infer S> ? S : never,
) {
  const { spec, osPid, said } = server;
  const running = [...gate.flights.values()].filter(
    ({ call: { payload } }) => 'how' in payload && payload.how === 'brokered' && payload.server === spec.id,
  );
  const { traffic, broker, clock } = gate.parts;
  const { failures, shutUntil, refused } = traffic.health(spec.id);
  const restMs = broker.rates.shutMs(callsAt(spec.id));
  return {
    ...{ id: spec.id, command: [...spec.command], address: spec.url ?? spec.openapi ?? null },
    problem: gate.parts.servers.problemOf(spec.id) ?? null,
    ...{ osPid: osPid ?? null, calls: running.length, said },
    login: server.login?.state ?? 'none',
    restsUntil: restMs > 0 ? clock.now() + restMs : null,
    ...{ failures, refused, shutUntil: shutUntil ?? null, instances: [...(server.instances?.() ?? [])] },
  };
}
