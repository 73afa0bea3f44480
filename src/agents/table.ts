/**
 * agents/ owns who acts: the table of agents, their states, what headers tell apart, turns, and coverage.
 * Invariant: a child stays inside its parent's chain for ever (pid, parent and owner never change). It does not know
 * the gate, policies or money; it changes rows in memory and hands them out for the caller's transaction.
 */
import { assert } from '../base/assert.ts';
import type { CoverageLevel } from '../base/control.ts';
import type { Pid } from '../base/ids.ts';
import { AGENT, type AgentRow } from '../db/schema/agents.ts';
import type { Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';

export type Hold = 'none' | 'paused' | 'stopped' | 'exited';

/** A row of the table, live: the stages of the gate read and change this object. */
export type Agent = Omit<AgentRow, 'pid' | 'parent' | 'hold' | 'level'> & {
  readonly pid: Pid;
  readonly parent: Pid | null;
  hold: Hold;
  level: CoverageLevel;
};

export interface NewAgent {
  readonly name?: string | undefined;
  readonly parent?: Pid | null;
  readonly owner: string;
  readonly keyId?: string | null;
  readonly client: string;
  readonly subKey?: string | null;
  readonly nice?: number;
  readonly hosted?: boolean;
  readonly osPid?: number | null;
  readonly osStart?: number | null;
  readonly cwd?: string;
  readonly level?: CoverageLevel;
  readonly held?: boolean | undefined;
  readonly onLimit?: string | undefined;
}

export class AgentTable {
  readonly #agents = new Map<Pid, Agent>();
  readonly #bySubKey = new Map<string, Agent>();
  #nextPid = 1;

  /** Reads every row; nothing is replayed. */
  static async open(store: Store): Promise<AgentTable> {
    const table = new AgentTable();
    const page = 1000;
    for (let from = 0; ; ) {
      const rows = await store.range(AGENT, { from, limit: page });
      for (const row of rows) table.#keep(row as Agent);
      if (rows.length < page) return table;
      from = (rows[rows.length - 1] as AgentRow).pid + 1;
    }
  }

  #keep(agent: Agent): void {
    this.#agents.set(agent.pid, agent);
    if (agent.subKey !== null && agent.hold !== 'exited') this.#bySubKey.set(subKeyOf(agent), agent);
    this.#nextPid = Math.max(this.#nextPid, agent.pid + 1);
  }

  /** Opens an agent. The caller commits `row(agent)` with an `agent.open` entry. */
  add(spec: NewAgent, now: number): Agent {
    const pid = this.#nextPid as Pid;
    const agent: Agent = {
      pid,
      name: this.freeName(spec.name ?? spec.client),
      parent: spec.parent ?? null,
      owner: spec.owner,
      keyId: spec.keyId ?? null,
      account: null,
      client: spec.client,
      subKey: spec.subKey ?? null,
      hold: 'none',
      holdWhy: null,
      holdUntil: null,
      nice: spec.nice ?? 0,
      hosted: spec.hosted ? 1 : 0,
      osPid: spec.osPid ?? null,
      osStart: spec.osStart ?? null,
      cwd: spec.cwd ?? '',
      worktree: null,
      level: spec.level ?? 'none',
      held: spec.held === undefined ? null : Number(spec.held),
      onLimit: spec.onLimit ?? null,
      createdAt: now,
      lastAt: null,
      exitCode: null,
      exitSignal: null,
      calls: 0,
      turns: 0,
      input: 0,
      cacheRead: 0,
      cacheWrite: 0,
      output: 0,
      reasoning: 0,
      cost: 0,
      seen: 0,
      decided: 0,
    };
    assert(this.chain(agent).length <= LIMITS.agentDepth.value, 'agent chain too deep');
    this.#keep(agent);
    return agent;
  }

  get(pid: number): Agent | undefined {
    return this.#agents.get(pid as Pid);
  }

  all(): Iterable<Agent> {
    return this.#agents.values();
  }

  get size(): number {
    return this.#agents.size;
  }

  /** The agent and its parents, itself first. */
  chain(agent: Agent): Agent[] {
    const chain = [agent];
    for (let parent = agent.parent; parent !== null; ) {
      const next = this.#agents.get(parent);
      assert(next, `agent ${agent.pid} has no parent ${parent}`);
      chain.push(next);
      parent = next.parent;
    }
    return chain;
  }

  /** The agent and everything below it. */
  tree(root: Agent): Agent[] {
    const tree = [root];
    const members = new Set<Pid>([root.pid]);
    // Children have higher pids than their parents, and the map keeps the order of pids.
    for (const agent of this.#agents.values()) {
      if (agent.parent !== null && members.has(agent.parent)) {
        members.add(agent.pid);
        tree.push(agent);
      }
    }
    return tree;
  }

  /** The live agent that headers name under a key's root agent, if it was seen before. */
  findSub(root: Pid, subKey: string): Agent | undefined {
    return this.#bySubKey.get(`${root}:${subKey}`);
  }

  /** The same at any depth below an agent: hooks name a sub-agent without its parents. */
  findBelow(root: Agent, subKey: string): Agent | undefined {
    return this.tree(root).find((agent) => agent.subKey === subKey && agent.hold !== 'exited');
  }

  liveChildren(root: Agent): number {
    return this.tree(root).filter((agent) => agent.hold !== 'exited').length - 1;
  }

  /** By pid, name, or the unique prefix of the name of an agent that holds it; a list when several match. */
  find(selector: string): Agent[] {
    const byPid = /^\d+$/.test(selector) ? this.get(Number(selector)) : undefined;
    if (byPid) return [byPid];
    const live = [...this.#agents.values()].filter(holdsName);
    const exact = live.filter((agent) => agent.name === selector);
    if (exact.length > 0) return exact;
    const prefixed = live.filter((agent) => agent.name.startsWith(selector));
    if (prefixed.length > 0) return prefixed;
    return [...this.#agents.values()].filter((agent) => agent.name === selector).slice(-1);
  }

  /** `claude`, then `claude-2`, ...: names are unique among the agents that hold one. */
  freeName(wanted: string): string {
    const base = wanted.replace(/[^\w.@-]+/g, '-').slice(0, LIMITS.nameLength.value) || 'agent';
    const taken = new Set<string>();
    for (const agent of this.#agents.values()) if (holdsName(agent)) taken.add(agent.name);
    if (!taken.has(base)) return base;
    for (let i = 2; ; i++) if (!taken.has(`${base}-${i}`)) return `${base}-${i}`;
  }

  /** Marks an agent's end; its sub-key becomes free for a new one. */
  exit(agent: Agent, code: number | null, signal: string | null): void {
    agent.hold = 'exited';
    agent.exitCode = code;
    agent.exitSignal = signal;
    if (agent.subKey !== null) this.#bySubKey.delete(subKeyOf(agent));
  }
}

/** A name is its agent's until the agent has exited and no worktree of that name is left. */
const holdsName = (agent: Agent): boolean => agent.hold !== 'exited' || agent.worktree !== null;

const subKeyOf = (agent: Agent): string => `${agent.parent ?? 0}:${agent.subKey}`;

/** The put that stores an agent as it is now. */
export const agentPut = (agent: Agent) => ({ table: AGENT, row: { ...agent } as AgentRow });
