/**
 * Calls that become tasks: one that has waited or run so long is no longer its client's connection to keep, and goes on
 * over a restart of the kernel. Invariant: it is made as any other call is, by the ledger of uses never twice silently.
 */

import { type Refusal, refusal } from '../base/errors.ts';
import { type CallId, newCallId } from '../base/ids.ts';
import { isRecord, type JsonRecord, parseJson } from '../base/json.ts';
import type { TaskHead } from '../base/mcp.ts';
import type { ToolOutcome } from '../base/syscall.ts';
import type { TaskRow } from '../db/schema/tools.ts';
import { LIMITS as TOOL_LIMITS } from '../tools/limits.ts';
import type { Flight } from './flight.ts';
import type { Gate } from './gate.ts';

type Outcome = ToolOutcome | Refusal;
type ToolFlight = Flight<'tool.call'>;

export interface TaskView extends TaskHead {
  /** Of a finished one. */
  readonly outcome: Outcome | undefined;
}

/** What a task's call is made of. */
export interface Made {
  readonly flight: ToolFlight;
  readonly tool: string;
  readonly input: JsonRecord;
  readonly use: string | undefined;
  readonly outcome: Promise<Outcome>;
}

/** How a task of before is made once more. */
export interface Maker {
  /** A call of this id by the agent of the task; `begun` gets it before it is walked. */
  make(row: TaskRow, id: CallId, input: JsonRecord, begun: (flight: ToolFlight) => void): Promise<Outcome>;
  /** The outcome of a call that the ledger knows: a doubt is settled by its retry class, as a repetition settles it. */
  again(call: string): Promise<Outcome | undefined>;
  /** What a person's word, or the retry class, made of a call in doubt; undefined where it still is. */
  settled(call: string): Promise<Outcome | undefined>;
}

export class TaskKeeper {
  readonly #gate: Gate;
  readonly #maker: Maker;
  readonly #live = new Map<string, ToolFlight>();
  readonly #cancelled = new Set<string>();

  constructor(gate: Gate, maker: Maker) {
    this.#gate = gate;
    this.#maker = maker;
  }

  /** `told` gets the task, where the call has no outcome after `afterMs`. */
  watch(made: Made, afterMs: number, told: (task: TaskView) => void): void {
    const stop = this.#gate.parts.clock.after(afterMs, () => void this.#become(made, told));
    made.outcome.then(stop, stop);
  }

  async get(agent: number, id: string): Promise<TaskView | undefined> {
    const { tasks, clock } = this.#gate.parts;
    const row = tasks.find(agent, id, clock.now());
    if (!row) return undefined;
    const outcome = row.state === 'working' && !this.#live.has(id) && (await this.#maker.settled(row.call));
    if (outcome) await this.#finish(row, outcome);
    return this.#view(tasks.find(agent, id, clock.now()) ?? row);
  }

  /** false: there is no such task of this agent. */
  async cancel(agent: number, id: string): Promise<boolean> {
    const { tasks, clock, waits } = this.#gate.parts;
    const row = tasks.find(agent, id, clock.now());
    if (!row) return false;
    if (row.state !== 'working') return true;
    this.#cancelled.add(id);
    const flight = this.#live.get(id);
    if (!flight) await this.#finish(row, CANCELLED);
    waits.wake(row.call as CallId, { kind: 'refuse', refusal: CANCELLED });
    flight?.killer.abort(new Error('its client cancelled it'));
    return true;
  }

  /** After a start. */
  async resume(): Promise<void> {
    await Promise.all(this.#gate.parts.tasks.working().map((row) => this.#resume(row)));
  }

  async #become({ flight, tool, input, use, outcome }: Made, told: (task: TaskView) => void): Promise<void> {
    const { tasks, clock, random, settings, waits } = this.#gate.parts;
    const { id: call } = flight.call;
    const id = Buffer.from(random.bytes(16)).toString('base64url');
    const kept = settings.bodies === 'keep' ? JSON.stringify(input) : null;
    const made = { id, agent: flight.agent.pid, call, tool, input: kept, use };
    const row = await tasks.create(made, clock.now());
    if (!row) return;
    this.#live.set(id, flight);
    flight.isTask = true;
    // Nobody sits before it any more: it may wait for its locks as long as a call may at all.
    if (waits.get(call)?.reason === 'lock') waits.wake(call);
    told(this.#view(row));
    await this.#finish(row, await outcome);
  }

  async #resume(row: TaskRow): Promise<void> {
    const { parts } = this.#gate;
    const known = await this.#maker.again(row.call);
    if (known) return this.#finish(row, known);
    // What the ledger does not know was never sent, or changes nothing.
    const input = parseJson(row.input ?? '');
    if (!isRecord(input)) return this.#finish(row, NOT_KEPT);
    const id = newCallId(parts.clock.now(), parts.random);
    await parts.tasks.moved(row, id);
    const moved = { ...row, call: id };
    const begun = (flight: ToolFlight) => {
      flight.isTask = true;
      this.#live.set(row.id, flight);
    };
    await this.#finish(moved, await this.#maker.make(moved, id, input, begun));
  }

  async #finish(row: TaskRow, outcome: Outcome): Promise<void> {
    const { tasks, settings, clock, uses } = this.#gate.parts;
    this.#live.delete(row.id);
    const isCancelled = this.#cancelled.delete(row.id) && 'code' in outcome;
    // It goes on after the next start, or when somebody has decided.
    if (!isCancelled && 'code' in outcome && GOES_ON.has(outcome.code)) return;
    const state = isCancelled ? 'cancelled' : 'done';
    await tasks.finish(row, state, outcome, settings.bodies === 'keep', clock.now());
    uses.told(row.call, true);
  }

  #view(row: TaskRow): TaskView {
    const { tasks, waits, uses } = this.#gate.parts;
    const wait = waits.get(row.call as CallId);
    const isDoubt = uses.get(row.call)?.state === 'in_doubt';
    const message = wait ? `waits for ${wait.resource}` : isDoubt ? inDoubtText(row.call) : undefined;
    return {
      id: row.id,
      state: row.state as TaskView['state'],
      message: row.state === 'working' ? message : undefined,
      createdAt: row.at,
      changedAt: row.changedAt,
      keptMs: TOOL_LIMITS.taskKeptMs.value,
      outcome: row.state === 'working' ? undefined : (tasks.outcome(row) ?? NOT_KEPT),
    };
  }
}

const GOES_ON: ReadonlySet<string> = new Set(['draining', 'in_doubt']);

const inDoubtText = (call: string): string =>
  `it may or may not have taken effect: a person decides (mezz tool resolve ${call})`;

const CANCELLED: Refusal = refusal('cancelled', 'Its client cancelled the task.');
const NOT_KEPT: Refusal = refusal('stale', 'The kernel ended, and what became of the task is not kept.');
