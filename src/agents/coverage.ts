/**
 * Mediation coverage: of the tool calls that an agent's own client makes, how many were decided before they
 * happened. A call becomes known by a model's answer (seen) or by a hook (decided); its result closes it.
 */

import type { CoverageLevel } from '../base/control.ts';
import type { TurnId } from '../base/ids.ts';
import type { ToolIntent, ToolResultFact } from '../base/model.ts';
import type { Syscall } from '../base/syscall.ts';
import { INTENT, type IntentRow } from '../db/schema/agents.ts';
import type { Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';
import { readProgram } from './program.ts';
import type { Agent } from './table.ts';

/** The model call whose answer asks for a tool. */
type Source = Pick<Syscall, 'id' | 'turn'>;
type Put = { table: typeof INTENT; row: IntentRow };

/** The latest intents of one agent. */
interface Known {
  /** By tool-use id; insertion order is age. */
  readonly rows: Map<string, IntentRow>;
  /** Those of them that are programs which run, and of whose calls nobody was asked yet. */
  readonly unasked: Set<IntentRow>;
}

/** Are the agent's tool calls held? The nearest switch of the chain decides, itself first; else the setting for all. */
export function isHeld(chain: readonly Agent[], all: boolean): boolean {
  const nearest = chain.find((agent) => agent.held !== null);
  return nearest ? nearest.held === 1 : all;
}

/** The level that holds now for the first of the chain. */
export function levelOf(chain: readonly Agent[], all: boolean): CoverageLevel {
  const level = chain[0]?.level ?? 'none';
  return (level === 'none' || level === 'seen') && isHeld(chain, all) ? 'held' : level;
}

export class Coverage {
  /**
   * By agent. Closed intents stay for a while: a client may run a tool while its answer still streams, so a call can be
   * decided and closed before the answer is booked.
   */
  readonly #known = new Map<number, Known>();

  static async open(store: Store): Promise<Coverage> {
    const coverage = new Coverage();
    for (const state of ['open', 'program']) {
      const rows = await store.range(INTENT, { by: ['state'], prefix: [state], limit: 100_000 });
      for (const row of rows) coverage.#remember(coverage.#of(row.agent), { ...row });
    }
    return coverage;
  }

  #of(agent: number): Known {
    let known = this.#known.get(agent);
    if (!known) {
      known = { rows: new Map(), unasked: new Set() };
      this.#known.set(agent, known);
    }
    return known;
  }

  /**
   * A model's answer asked for these calls. Counts each once, however often it is retried. A program that calls other
   * tools is no action of its own: it counts only when nobody was asked about what it did.
   */
  seen(agent: Agent, intents: readonly ToolIntent[], source: Source, now: number): Put[] {
    const known = this.#of(agent.pid);
    const puts: Put[] = [];
    for (const intent of intents) {
      const program = agent.client === 'codex' && intent.name === 'exec' && readProgram(intent.argumentsText);
      if (known.rows.has(intent.id) || program === 'calls_nothing') continue;
      const row: IntentRow = {
        agent: agent.pid,
        toolUseId: intent.id,
        tool: intent.name,
        source: source.id,
        turn: source.turn ?? null,
        decidedBy: null,
        state: program === 'asks' ? 'program' : 'open',
        at: now,
      };
      this.#remember(known, row);
      if (row.state === 'open') agent.seen++;
      if (agent.level === 'none') agent.level = 'seen';
      puts.push({ table: INTENT, row: { ...row } });
    }
    return puts;
  }

  /**
   * The gate decided a call before it happened. A call made inside another program's tool (Codex's `exec`) has an id
   * no model answer showed: it counts as seen by the hook itself, and the programs that run have been asked about.
   */
  decided(agent: Agent, toolUseId: string, tool: string, by: string, denied: boolean, now: number): Put[] {
    const known = this.#of(agent.pid);
    let row = known.rows.get(toolUseId);
    if (!row) {
      const unseen = { source: null, turn: null, decidedBy: null, state: 'open' };
      row = { agent: agent.pid, toolUseId, tool, ...unseen, at: now };
      agent.seen++;
      this.#remember(known, row);
    }
    if (row.state === 'program') {
      // Held whole: an action of its own after all.
      row.state = 'open';
      known.unasked.delete(row);
      agent.seen++;
    }
    if (row.decidedBy === null) agent.decided++;
    row.decidedBy = by;
    if (denied) row.state = 'denied';
    return [row, ...this.#answered(known, by)].map((one) => ({ table: INTENT, row: { ...one } }));
  }

  /** A call that mezz itself makes was decided. Nothing of it is remembered: no client tells its end. */
  made(agent: Agent, by: string): Put[] {
    agent.seen++;
    agent.decided++;
    return this.#answered(this.#of(agent.pid), by).map((one) => ({ table: INTENT, row: { ...one } }));
  }

  /** The programs that run have been asked about. */
  #answered({ unasked }: Known, by: string): IntentRow[] {
    const programs = [...unasked];
    unasked.clear();
    for (const one of programs) one.decidedBy = by;
    return programs;
  }

  /** Results that came back, by hook or in the next request; results of unknown calls are ignored. */
  closed(agent: Agent, results: readonly ToolResultFact[]): Put[] {
    const known = this.#of(agent.pid);
    const puts: Put[] = [];
    for (const result of results) {
      const row = known.rows.get(result.id);
      if (row?.state !== 'open' && row?.state !== 'program') continue;
      if (row.state === 'program' && row.decidedBy === null) agent.seen++;
      known.unasked.delete(row);
      row.state = result.isError ? 'error' : 'done';
      puts.push({ table: INTENT, row: { ...row } });
    }
    return puts;
  }

  /** A permitted tool use that its client never heard of. */
  withheld(agent: Agent, toolUseId: string): Put[] {
    const row = this.#of(agent.pid).rows.get(toolUseId);
    if (row?.state !== 'open') return [];
    row.state = 'denied';
    return [{ table: INTENT, row: { ...row } }];
  }

  /** Was the tool use decided, and is its outcome still to come? */
  isAwaited(agent: number, toolUseId: string): boolean {
    const row = this.#known.get(agent)?.rows.get(toolUseId);
    return row?.state === 'open' && row.decidedBy !== null;
  }

  /** The tool.call that decided a tool use, by a hook or as a held one. */
  decidedBy(agent: number, toolUseId: string): string | undefined {
    return this.#known.get(agent)?.rows.get(toolUseId)?.decidedBy ?? undefined;
  }

  /** The turn of the model call that asked for it; undefined where only a hook showed it. */
  turnOf(agent: number, toolUseId: string): TurnId | undefined {
    return (this.#known.get(agent)?.rows.get(toolUseId)?.turn as TurnId | null | undefined) ?? undefined;
  }

  openTools(agent: number): readonly IntentRow[] {
    return [...(this.#known.get(agent)?.rows.values() ?? [])].filter((row) => row.state === 'open');
  }

  #remember({ rows, unasked }: Known, row: IntentRow): void {
    rows.set(row.toolUseId, row);
    if (row.state === 'program' && row.decidedBy === null) unasked.add(row);
    if (rows.size <= LIMITS.openIntentsPerAgent.value) return;
    const [oldest] = rows.values();
    if (!oldest) return;
    rows.delete(oldest.toolUseId);
    unasked.delete(oldest);
  }
}
