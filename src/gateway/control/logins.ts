/** Verbs about logins at remote tool servers. What they hold never leaves the driver: an answer says only how they stand. */
import { type Refusal, refusal } from '../../base/errors.ts';
import type { ServerLogin } from '../../base/ports.ts';
import type { LoginView } from '../../base/tools.ts';
import type { Gate } from '../../gate/gate.ts';
import type { Handlers } from './context.ts';

export type LoginVerb = 'tool.login' | 'tool.loggedin' | 'tool.logout';

export const loginVerbs: Handlers<LoginVerb> = {
  async 'tool.login'({ gate }, { server, redirect }) {
    const found = loginOf(gate, server);
    if ('code' in found) return found;
    // Refused, it says which rights it wants and who gives them.
    if (found.state === 'none') await gate.parts.servers.get(server)?.describe();
    return found.begin(redirect);
  },

  async 'tool.loggedin'({ gate }, { server, query }) {
    const found = loginOf(gate, server);
    if ('code' in found) return found;
    const done = await found.finish(query);
    if ('code' in done) return done;
    await note(gate, server, true);
    return { login: viewOf(server, found) };
  },

  async 'tool.logout'({ gate }, { server }) {
    const found = loginOf(gate, server);
    if ('code' in found) return found;
    const wasIn = found.forget();
    if (wasIn) await note(gate, server, false);
    return { login: viewOf(server, found), wasIn };
  },
};

const viewOf = (server: string, { state, scope }: ServerLogin): LoginView => ({
  server,
  state,
  scope: scope ?? null,
});

async function note({ parts }: Gate, server: string, isIn: boolean): Promise<void> {
  await parts.journal.append({
    entries: [{ kind: 'config', agent: 0, body: { toolLogin: server, in: isIn } }],
  });
}

function loginOf(gate: Gate, name: string): ServerLogin | Refusal {
  const server = gate.parts.servers.get(name);
  if (!server)
    return refusal('not_found', `There is no tool server "${name}".`, { remedy: 'mezz tool ps lists them' });
  return (
    server.login ??
    refusal(
      'bad_request',
      `${name} takes no login: it is no address that speaks MCP, or has a header of its own.`,
    )
  );
}
