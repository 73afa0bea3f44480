/** Verbs about agents: opening, listing, signals, nice, freezes. */
import { LIMITS as agentLimits } from '../../agents/limits.ts';
import { type Agent, agentPut } from '../../agents/table.ts';
import type { AgentView, Launch } from '../../base/control.ts';
import { refusal } from '../../base/errors.ts';
import type { Pid } from '../../base/ids.ts';
import { CALL } from '../../db/schema/journal.ts';
import { openEntry } from '../../gate/arrivals.ts';
import { closeAgent } from '../../gate/exits.ts';
import type { Gate } from '../../gate/gate.ts';
import type { EntryDraft } from '../../journal/journal.ts';
import { type Handlers, selectAgent } from './context.ts';
import { agentViews, callView, doubtViews } from './views.ts';

/** Stores changed agents with an `agent.set` entry each. */
async function save(gate: Gate, agents: readonly Agent[], change: EntryDraft['body']): Promise<void> {
  await gate.parts.journal.append({
    entries: agents.map((agent) => ({ kind: 'agent.set', agent: agent.pid, body: change })),
    puts: agents.map(agentPut),
  });
}

const viewOf = (gate: Gate, agent: Agent): AgentView => agentViews(gate, [agent])[0] as AgentView;

export const agentVerbs: Handlers<
  | 'ps'
  | 'agent.show'
  | 'agent.open'
  | 'agent.started'
  | 'agent.worktree'
  | 'agent.exited'
  | 'agent.hold'
  | 'signal'
  | 'nice'
  | 'freeze'
> = {
  async ps({ gate }, { all }) {
    const agents = [...gate.parts.agents.all()].filter((agent) => all || agent.hold !== 'exited');
    return { agents: agentViews(gate, agents), doubts: doubtViews(gate) };
  },

  async 'agent.show'(context, { agent: selector }) {
    const agent = selectAgent(context, selector);
    if ('code' in agent) return agent;
    const { parts } = context.gate;
    const recent = await parts.store.range(CALL, {
      by: ['agent', 'arrivedAt'],
      prefix: [agent.pid],
      reverse: true,
      limit: 10,
    });
    return {
      agent: viewOf(context.gate, agent),
      limits: parts.ledger.limits(`agent:${agent.pid}`),
      recent: recent.map(callView),
      ...(await context.sheet(agent)),
    };
  },

  async 'agent.open'(context, request) {
    const { parts } = context.gate;
    const parent = request.parent === undefined ? undefined : selectAgent(context, request.parent);
    if (parent && 'code' in parent) return parent;
    if (parent && parts.agents.chain(parent).length >= agentLimits.agentDepth.value)
      return refusal('bad_request', `${parent.name} has as many parents above it as may be.`, {
        rule: 'limit:agents.agentDepth',
      });
    const now = parts.clock.now();
    const launches: Launch[] = [];
    const entries: EntryDraft[] = [];
    const puts = [];
    for (let i = 0; i < Math.max(1, Math.min(64, request.count ?? 1)); i++) {
      const agent = parts.agents.add(
        {
          name: request.name,
          parent: parent?.pid ?? null,
          owner: request.owner ?? 'me',
          client: request.client,
          nice: request.nice ?? 0,
          hosted: request.hosted ?? false,
          osPid: request.osPid ?? null,
          osStart: request.startTicks ?? null,
          cwd: request.cwd,
          held: request.hold,
          onLimit: request.onLimit,
        },
        now,
      );
      const created = parts.keys.create(
        { name: agent.name, owner: agent.owner, pid: agent.pid },
        parts.random,
        now,
      );
      agent.keyId = created.key.id;
      entries.push(openEntry(agent));
      puts.push(agentPut(agent), ...created.puts);
      if (request.budget !== undefined) {
        puts.push(
          ...parts.ledger.setLimit({
            scope: `agent:${agent.pid}`,
            dimension: 'usd',
            period: 'total',
            cap: request.budget,
            strict: false,
          }).puts,
        );
      }
      launches.push({
        pid: agent.pid,
        name: agent.name,
        token: created.secret,
        origin: context.origin,
        hooks: request.hooks,
        ...(parts.servers.isEmpty ? {} : { tools: true as const }),
        cwd: request.cwd,
      });
    }
    await parts.journal.append({ entries, puts });
    return { launches };
  },

  async 'agent.started'(context, request) {
    const agent = selectAgent(context, request.agent);
    if ('code' in agent) return agent;
    agent.osPid = request.osPid;
    agent.osStart = request.startTicks ?? null;
    await save(context.gate, [agent], { osPid: request.osPid });
    return {};
  },

  async 'agent.worktree'(context, request) {
    const agent = selectAgent(context, request.agent);
    if ('code' in agent) return agent;
    agent.worktree = request.worktree;
    await save(context.gate, [agent], { worktree: request.worktree !== null });
    return {};
  },

  async 'agent.exited'(context, request) {
    const agent = selectAgent(context, request.agent);
    if ('code' in agent) return agent;
    await closeAgent(context.gate, agent, request);
    return {};
  },

  async signal(context, request) {
    const agent = selectAgent(context, request.agent);
    if ('code' in agent) return agent;
    const { gate } = context;
    const { parts } = gate;
    const tree = parts.agents.tree(agent).filter((member) => member.hold !== 'exited');
    // What has exited stays so, whoever pauses it.
    const affected = request.signal === 'pause' ? tree.filter((member) => member === agent) : tree;
    for (const member of affected) {
      member.hold = request.signal === 'pause' ? 'paused' : request.signal === 'resume' ? 'none' : 'stopped';
      member.holdWhy = request.signal === 'pause' ? 'by operator' : null;
      member.holdUntil = null;
    }
    await save(gate, affected, { hold: agent.hold });
    const pids = new Set<number>(tree.map((member) => member.pid));
    gate.wake([agent]);
    if (request.signal !== 'resume') parts.servers.release(pids, false);
    if (request.signal === 'stop' || request.signal === 'kill') gate.interrupt(pids, request.signal);
    // Paused and stopped programs go on outside the gate; only a kill ends them.
    if (request.signal === 'kill')
      for (const { hosted, osPid, osStart } of tree)
        if (hosted === 1 && osPid !== null) context.processes.end(osPid, osStart);
    if (request.revoke)
      await parts.store.commit({ puts: parts.keys.revokeAgent(agent.pid, parts.clock.now()).puts });
    return { agents: affected.map((member) => member.pid) };
  },

  async 'agent.hold'(context, request) {
    const { gate } = context;
    const agent = selectAgent(context, request.agent);
    if ('code' in agent) return agent;
    agent.held = Number(request.on);
    await save(gate, [agent], { held: request.on });
    return { agent: viewOf(gate, agent) };
  },

  async nice(context, request) {
    const agent = selectAgent(context, request.agent);
    if ('code' in agent) return agent;
    if (!Number.isInteger(request.nice) || request.nice < -20 || request.nice > 19) {
      return refusal('bad_request', `A nice value is a whole number from -20 to 19, not ${request.nice}.`);
    }
    agent.nice = request.nice;
    await save(context.gate, [agent], { nice: request.nice });
    // What already waits takes its place anew; the time of arrival stays.
    context.gate.parts.waits.wakeAgents(new Set([agent.pid]));
    return {};
  },

  async freeze(context, request) {
    const { gate } = context;
    const { parts } = gate;
    const agent = request.agent === undefined ? undefined : selectAgent(context, request.agent);
    if (agent && 'code' in agent) return agent;
    const scope: 'all' | Pid = agent ? agent.pid : 'all';
    const now = parts.clock.now();
    const body = { scope, thaw: request.thaw === true };
    const entries: EntryDraft[] = [{ kind: 'config', agent: agent?.pid ?? 0, body }];
    if (request.thaw) await parts.journal.append({ entries, deletes: parts.freezes.thaw(scope).deletes });
    else await parts.journal.append({ entries, puts: parts.freezes.freeze(scope, now).puts });
    const tree = agent ? parts.agents.tree(agent) : [...parts.agents.all()];
    gate.interrupt(new Set(request.thaw ? [] : tree.map((member) => member.pid)), 'frozen');
    return { frozen: parts.freezes.list().map((freeze) => String(freeze.scope)) };
  },
};
