/**
 * The end of agents: told by whoever started their program, or noticed when the program is gone and nobody tells.
 * A closed agent's keys are void, what it had running is cut, and its row says how it ended.
 */
import { type Agent, agentPut } from '../agents/table.ts';
import type { Pid } from '../base/ids.ts';
import type { Processes } from '../base/ports.ts';
import { takeFresh } from './changes.ts';
import type { Gate } from './gate.ts';
import { LIMITS } from './limits.ts';
import { movedOn } from './locking.ts';
import { toolsLeft } from './outcomes.ts';

/** How a program ended; neither when nobody saw it. */
export interface Ending {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

const UNSEEN: Ending = { exitCode: null, signal: null };

/** Closes an agent and everything below it. Of one that is closed already only an ending nobody had seen is added. */
export async function closeAgent(gate: Gate, agent: Agent, ending: Ending): Promise<void> {
  const { parts } = gate;
  if (agent.hold === 'exited') return addEnding(gate, agent, ending);
  const tree = parts.agents.tree(agent).filter((member) => member.hold !== 'exited');
  for (const member of tree) {
    const { exitCode, signal } = member === agent ? ending : UNSEEN;
    parts.agents.exit(member, exitCode, signal);
  }
  const revoked = parts.keys.revokeAgent(agent.pid, parts.clock.now());
  const pids = new Set<number>(tree.map((member) => member.pid));
  gate.interrupt(pids, 'exited');
  parts.servers.release(pids, true);
  await toolsLeft(parts, pids);
  for (const pid of pids) {
    await movedOn(parts, pid);
    parts.broker.versions.forget(pid);
  }
  const forgotten = takeFresh(parts);
  await parts.journal.append({
    entries: tree.map((member) => ({
      kind: 'agent.close',
      agent: member.pid,
      body: { exitCode: member.exitCode, signal: member.exitSignal },
    })),
    puts: [...tree.map(agentPut), ...revoked.puts, ...forgotten.puts],
    deletes: forgotten.deletes,
  });
}

async function addEnding({ parts }: Gate, agent: Agent, { exitCode, signal }: Ending): Promise<void> {
  if (agent.exitCode !== null || agent.exitSignal !== null) return;
  if (exitCode === null && signal === null) return;
  agent.exitCode = exitCode;
  agent.exitSignal = signal;
  await parts.journal.append({
    entries: [{ kind: 'agent.set', agent: agent.pid, body: { exitCode, signal } }],
    puts: [agentPut(agent)],
  });
}

/**
 * Closes agents whose program ended without a word: `mezz run` was killed, or told a kernel that was down. One that
 * is still there goes on as it was, also when nobody but the kernel looks after it any more.
 */
export function superviseAgents(gate: Gate, processes: Processes): () => void {
  const { clock, agents } = gate.parts;
  /** Since when a program is gone; whoever started it has `goneMs` to say how it ended. */
  const gone = new Map<Pid, number>();
  const look = async (): Promise<void> => {
    const now = clock.now();
    for (const agent of agents.all()) {
      if (agent.hosted === 0 || agent.hold === 'exited' || agent.osPid === null) continue;
      if (processes.isThere(agent.osPid, agent.osStart)) {
        gone.delete(agent.pid);
        continue;
      }
      const since = gone.get(agent.pid) ?? now;
      gone.set(agent.pid, since);
      if (now - since < LIMITS.goneMs.value) continue;
      gone.delete(agent.pid);
      await closeAgent(gate, agent, UNSEEN);
    }
  };
  let stopped = false;
  let cancel: () => void = () => {};
  const next = () => {
    cancel = clock.after(LIMITS.lookMs.value, () => void look().then(() => stopped || next()));
  };
  next();
  return () => {
    stopped = true;
    cancel();
  };
}
