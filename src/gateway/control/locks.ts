/** The verb `locks`: which tool calls hold what, who waits for them, and what was noticed. */
import type { LockView } from '../../base/tools.ts';
import type { Gate } from '../../gate/gate.ts';
import { type Handlers, selectAgent } from './context.ts';
import { waitView } from './views.ts';

function heldLocks({ parts }: Gate): LockView[] {
  const now = parts.clock.now();
  return [...parts.broker.locks.held()].map(({ call, agent, effects }): LockView => {
    const use = parts.broker.use(call);
    return {
      call,
      agent,
      name: parts.agents.get(agent)?.name ?? String(agent),
      tool: use?.tool ?? '',
      heldMs: use ? now - use.startedAt : 0,
      keys: effects.map(({ key, access, guessed }) => ({ key, access, guessed: guessed === true })),
    };
  });
}

export const lockVerbs: Handlers<'locks'> = {
  async locks(context, { agent: selector }) {
    const { gate } = context;
    const { broker, waits } = gate.parts;
    const agent = selector === undefined ? undefined : selectAgent(context, selector);
    if (agent && 'code' in agent) return agent;
    const isMeant = (pid: number) => agent === undefined || agent.pid === pid;
    return {
      held: heldLocks(gate).filter((lock) => isMeant(lock.agent)),
      waiting: [...waits.all()]
        .filter((wait) => wait.reason === 'lock' && isMeant(wait.agent))
        .map((wait) => waitView(gate, wait)),
      counts: { ...broker.counts, known: broker.versions.size },
      events: broker.events.filter(
        (event) => isMeant(event.agent) || (event.other !== 0 && isMeant(event.other)),
      ),
    };
  },
};
