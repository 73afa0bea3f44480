/** Rows as the control protocol shows them. */
import { levelOf } from '../../agents/coverage.ts';
import type { Agent } from '../../agents/table.ts';
import type { AgentState, AgentView, CallView } from '../../base/control.ts';
import type { CallId } from '../../base/ids.ts';
import type { RivalView, WaitView } from '../../base/order.ts';
import type { DoubtView } from '../../base/tools.ts';
import type { CallRow } from '../../db/schema/journal.ts';
import type { Flight } from '../../gate/flight.ts';
import type { Gate } from '../../gate/gate.ts';
import { blockedBy, tellObstacle } from '../../gate/locking.ts';
import type { Wait } from '../../gate/waits.ts';
import type { Explanation } from '../../scheduler/scheduler.ts';

/** Running, waiting and waiting-for-you are derived from what the gate holds right now. */
export function agentViews(gate: Gate, agents: Iterable<Agent>): AgentView[] {
  const waits = new Map<number, Wait>();
  // Of several the one that a person can end, or else the oldest.
  for (const wait of gate.waits())
    if (wait.reason === 'approval' || !waits.has(wait.agent)) waits.set(wait.agent, wait);
  const running = new Set<number>();
  for (const flight of gate.flights.values()) {
    if (flight.suspension?.isStopped) waits.set(flight.agent.pid, standing(gate, flight));
    else if (flight.startedAt !== undefined) running.add(flight.agent.pid);
  }
  return [...agents].map((agent) => agentView(gate, agent, waits.get(agent.pid), running.has(agent.pid)));
}

function agentView(gate: Gate, agent: Agent, wait: Wait | undefined, running: boolean): AgentView {
  const { parts } = gate;
  const forYou = wait?.reason === 'approval' || gate.waitingForYou.has(agent.pid);
  const live: AgentState = forYou ? 'waiting-for-you' : running ? 'running' : wait ? 'waiting' : 'ready';
  return {
    pid: agent.pid,
    name: agent.name,
    parent: agent.parent,
    owner: agent.owner,
    account: agent.account,
    client: agent.client,
    state: agent.hold === 'none' ? live : agent.hold,
    waitsFor: wait ? `${wait.reason} ${wait.resource}` : agent.hold === 'paused' ? pauseText(agent) : null,
    nice: agent.nice,
    hosted: agent.hosted === 1,
    osPid: agent.osPid,
    createdAt: agent.createdAt,
    lastAt: agent.lastAt,
    exitCode: agent.exitCode,
    calls: agent.calls,
    turns: agent.turns,
    usage: {
      input: agent.input,
      cacheRead: agent.cacheRead,
      cacheWrite: agent.cacheWrite,
      output: agent.output,
      reasoning: agent.reasoning,
    },
    cost: agent.cost,
    coverage: {
      level: levelOf(parts.agents.chain(agent), parts.settings.holdAll),
      seen: agent.seen,
      decided: agent.decided,
    },
    worktree: agent.worktree,
  };
}

function pauseText({ holdWhy, holdUntil }: Agent): string {
  const until = holdUntil === null ? '' : `, until ${new Date(holdUntil).toISOString()}`;
  return `${holdWhy ?? 'resume'}${until}`;
}

export function callView(row: CallRow): CallView {
  const { input, cacheRead, cacheWrite, output, reasoning } = row;
  return {
    id: row.id,
    agent: row.agent,
    kind: row.kind,
    target: row.target,
    state: row.state as CallView['state'],
    code: row.code,
    arrivedAt: row.arrivedAt,
    endedAt: row.endedAt,
    usage: row.startedAt === null ? null : { input, cacheRead, cacheWrite, output, reasoning },
    cost: row.startedAt === null ? null : row.cost,
    turn: row.turn,
  };
}

/** Tool calls that may or may not have taken effect, for a person to decide. */
export const doubtViews = ({ parts }: Gate): DoubtView[] =>
  parts.uses.doubts().map(({ call, agent, tool, retry, at }) => ({
    ...{ call, agent, tool, retry, at },
    agentName: parts.agents.get(agent)?.name ?? String(agent),
  }));

/** What stopped the agent that a call waits for: a limit and when its period ends, or somebody. */
function heldBecause({ parts }: Gate, resource: string): string[] {
  const agent = parts.agents.get(Number(resource));
  return agent && agent.hold !== 'none' ? [`${agent.name} is ${agent.hold}: ${pauseText(agent)}`] : [];
}

function rivalsOf({ parts }: Gate, { holders, before }: Explanation): RivalView[] {
  const named = ({ call, agent }: { readonly call: string; readonly agent: number }) => ({
    call,
    agent,
    agentName: parts.agents.get(agent)?.name ?? String(agent),
  });
  return [
    ...holders.map((one) => ({
      ...named(one),
      has: { resource: one.resource, sinceMs: one.sinceMs },
      reasons: [],
    })),
    ...before.map((one) => ({ ...named(one), has: null, reasons: one.reasons })),
  ];
}

/** All that wait: before they begin, and those that stand still between two tokens. */
export function allWaits(gate: Gate): Wait[] {
  const stopped = [...gate.flights.values()].filter(({ suspension }) => suspension?.isStopped);
  return [...gate.waits(), ...stopped.map((flight) => standing(gate, flight))];
}

/** A call that was stopped while it ran, as the wait for its slot that it is. */
function standing({ parts }: Gate, { call, agent, granted, suspension, deadlineAt }: Flight): Wait {
  const since = suspension?.since ?? parts.clock.now();
  const { id, kind, arrivedAt } = call;
  const resource = granted?.backend.id ?? '';
  return { call: id, agent: agent.pid, kind, reason: 'slot', resource, arrivedAt, since, deadlineAt };
}

/** Why a call that runs stands still. */
function stoppedBecause({ flights }: Gate, call: CallId): string[] {
  const suspension = flights.get(call)?.suspension;
  return suspension?.isStopped ? [`it was stopped between two tokens: ${suspension.why}`] : [];
}

export function waitView(gate: Gate, wait: Wait): WaitView {
  const { parts } = gate;
  const flight = gate.flights.get(wait.call);
  const explained = parts.scheduler.explain(wait.call);
  const special =
    wait.reason === 'lock'
      ? blockedBy(parts, wait.call).map((obstacle) => tellObstacle(parts, obstacle))
      : wait.reason === 'limit' && flight
        ? gate.limits.reasons(flight)
        : wait.reason === 'pause'
          ? heldBecause(gate, wait.resource)
          : [];
  return {
    call: wait.call,
    agent: wait.agent,
    kind: wait.kind,
    waitsFor: wait.reason,
    resource: wait.resource,
    sinceMs: gate.parts.clock.now() - wait.since,
    reasons: [...stoppedBecause(gate, wait.call), ...special, ...(explained?.reasons ?? [])],
    ahead: explained?.ahead ?? null,
    rivals: explained ? rivalsOf(gate, explained) : [],
    // How long others take says nothing of when a limit opens.
    estimateMs: wait.reason === 'limit' ? null : (explained?.estimateMs ?? null),
    estimateError: explained?.estimateError ?? null,
  };
}
