/**
 * Calls whose clients took a task in place of an answer. Invariant: a task is durable before its agent is told of it, and
 * is found by its agent alone, until its time is over; a finished one does not change any more.
 */
import type { Refusal } from '../base/errors.ts';
import type { ToolOutcome } from '../base/syscall.ts';
import { TASK, type TaskRow } from '../db/schema/tools.ts';
import type { Batch, Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';

type Deletes = NonNullable<Batch['deletes']>[number][];

export interface NewTask {
  readonly id: string;
  readonly agent: number;
  readonly call: string;
  /** As agents call the tool. */
  readonly tool: string;
  /** Its arguments as JSON; null where bodies are not kept. */
  readonly input: string | null;
  readonly use: string | undefined;
}

export class Tasks {
  readonly #store: Store;
  /** The oldest first. */
  readonly #rows = new Map<string, TaskRow>();
  /** Outcomes where rows do not keep them, for as long as the kernel runs. */
  readonly #outcomes = new Map<string, string>();

  private constructor(store: Store) {
    this.#store = store;
  }

  static async open(store: Store): Promise<Tasks> {
    const tasks = new Tasks(store);
    const rows = await store.range(TASK, { by: ['at'], limit: LIMITS.tasks.value });
    for (const row of rows) tasks.#rows.set(row.id, row);
    return tasks;
  }

  /** Resolves when it is durable; undefined where there are as many as there may be. */
  async create({ use, ...rest }: NewTask, now: number): Promise<TaskRow | undefined> {
    const deletes = this.#expire(now);
    if (this.#rows.size >= LIMITS.tasks.value) return undefined;
    const row: TaskRow = {
      ...rest,
      use: use ?? null,
      state: 'working',
      outcome: null,
      at: now,
      changedAt: now,
    };
    this.#rows.set(row.id, row);
    await this.#store.commit({ puts: [{ table: TASK, row }], deletes });
    return row;
  }

  find(agent: number, id: string, now: number): TaskRow | undefined {
    const row = this.#rows.get(id);
    return row?.agent === agent && row.at > now - LIMITS.taskKeptMs.value ? row : undefined;
  }

  working(): TaskRow[] {
    return [...this.#rows.values()].filter(({ state }) => state === 'working');
  }

  /** It is made by another call from here on: durable before that call is sent anywhere. */
  moved(row: TaskRow, call: string): Promise<void> {
    return this.#put({ ...row, call });
  }

  finish(
    row: TaskRow,
    state: 'done' | 'cancelled',
    outcome: ToolOutcome | Refusal,
    keeps: boolean,
    now: number,
  ): Promise<void> {
    const text = JSON.stringify(outcome);
    if (!keeps) this.#outcomes.set(row.id, text);
    return this.#put({ ...row, state, outcome: keeps ? text : null, changedAt: now });
  }

  /** What became of a finished one; undefined where that is not kept. */
  outcome({ id, outcome }: TaskRow): ToolOutcome | Refusal | undefined {
    const text = this.#outcomes.get(id) ?? outcome;
    return text ? (JSON.parse(text) as ToolOutcome | Refusal) : undefined;
  }

  /** Those of agents whose records are erased. */
  erase(agents: ReadonlySet<number>): Deletes {
    const gone = [...this.#rows.values()].filter(({ agent }) => agents.has(agent));
    return gone.map((row) => this.#forget(row));
  }

  async #put(row: TaskRow): Promise<void> {
    if (!this.#rows.has(row.id)) return;
    this.#rows.set(row.id, row);
    await this.#store.commit({ puts: [{ table: TASK, row }] });
  }

  #expire(now: number): Deletes {
    const over: Deletes = [];
    for (const row of this.#rows.values()) {
      if (row.at > now - LIMITS.taskKeptMs.value) break;
      over.push(this.#forget(row));
    }
    return over;
  }

  #forget({ id }: TaskRow): Deletes[number] {
    this.#rows.delete(id);
    this.#outcomes.delete(id);
    return { table: TASK, key: [id] };
  }
}
