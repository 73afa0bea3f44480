/**
 * The ledger of tool uses: what tells a transport's retry from a second decision of the model. Invariant: a use is here
 * from its START until its outcome has reached whoever asked for it, so that nothing that may have taken effect is
 * ever done again without somebody being told. What changes nothing (`pure`) needs no place here.
 */
import type { Refusal } from '../base/errors.ts';
import type { RetryClass } from '../base/manifest.ts';
import type { ToolOutcome } from '../base/syscall.ts';
import { USE, type UseRow } from '../db/schema/tools.ts';
import type { Batch, Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';

type Puts = NonNullable<Batch['puts']>;
type Deletes = NonNullable<Batch['deletes']>[number][];

/** A use about to start. */
export interface NewUse {
  readonly call: string;
  readonly agent: number;
  readonly use: string | undefined;
  readonly args: string;
  readonly tool: string;
  readonly retry: RetryClass;
}

/** What a call repeats. `other`: the name of the use was given to different arguments before. */
export type Repeated =
  | { readonly kind: 'running' | 'done' | 'in_doubt' | 'given_up'; readonly call: string }
  | { readonly kind: 'other'; readonly call: string };

export type Known = Omit<UseRow, 'answer'>;

const put = (row: UseRow): Puts[number] => ({ table: USE, row }) as unknown as Puts[number];

export class Uses {
  readonly #store: Store;
  /** By call, the oldest first. */
  readonly #known = new Map<string, Known>();
  /** `agent/use` to call. */
  readonly #named = new Map<string, string>();
  /** Equal calls whose outcome reached nobody, by `agent/args`. */
  readonly #untold = new Map<string, string>();
  /** Outcomes where rows do not keep them, for as long as the kernel runs. */
  readonly #answers = new Map<string, string>();
  #due: Deletes = [];

  private constructor(store: Store) {
    this.#store = store;
  }

  static async open(store: Store): Promise<Uses> {
    const uses = new Uses(store);
    const rows = await store.range(USE, { limit: LIMITS.uses.value });
    // Whoever waited for an answer waits no more.
    for (const { answer: _answer, ...row } of rows) uses.#keep(row, true);
    return uses;
  }

  get(call: string): Known | undefined {
    return this.#known.get(call);
  }

  /** Uses that may or may not have taken effect, and nobody has decided. */
  doubts(): readonly Known[] {
    return [...this.#known.values()].filter(({ state }) => state === 'in_doubt');
  }

  /**
   * What a call repeats: a use of the same name; or, without one, an equal call whose outcome reached nobody: who never
   * heard of it cannot have decided on it again.
   */
  find(agent: number, use: string | undefined, args: string, now: number): Repeated | undefined {
    if (use !== undefined) {
      const known = this.#known.get(this.#named.get(`${agent}/${use}`) ?? '');
      if (!known) return undefined;
      return { kind: known.args === args ? (known.state as 'done') : 'other', call: known.call };
    }
    const key = `${agent}/${args}`;
    const known = this.#known.get(this.#untold.get(key) ?? '');
    // It is the answer to one call: a second equal one is a decision of its own.
    this.#untold.delete(key);
    if (!known || (known.state !== 'in_doubt' && known.at < now - LIMITS.untoldMs.value)) return undefined;
    return { kind: known.state as 'done', call: known.call };
  }

  /** The rows of a START. */
  started({ use, ...rest }: NewUse, now: number): { readonly puts: Puts; readonly deletes: Deletes } {
    const row = { ...rest, use: use ?? null, state: 'running', at: now };
    const known = this.#known.get(row.call);
    // Sent once more: whoever never heard of it has not heard of it since.
    if (known) Object.assign(known, { state: row.state, at: now });
    else this.#keep(row, false);
    this.#expire(now);
    return { puts: [put({ ...row, answer: null })], deletes: this.takeDue() };
  }

  /** The rows of an END. `keeps`: may the outcome be stored? */
  ended(call: string, outcome: ToolOutcome | Refusal, keeps: boolean): { puts: Puts; deletes: Deletes } {
    const known = this.#known.get(call);
    if (!known) return { puts: [], deletes: [] };
    const isDoubt = 'code' in outcome && outcome.code === 'in_doubt';
    // What never reached the server may be asked for again.
    if ('code' in outcome && !isDoubt && outcome.code !== 'failed') {
      this.#forget(call);
      return { puts: [], deletes: [{ table: USE, key: [call] }] };
    }
    known.state = isDoubt ? 'in_doubt' : 'done';
    const answer = isDoubt ? null : JSON.stringify(outcome);
    if (answer !== null && !keeps) this.#answers.set(call, answer);
    return { puts: [put({ ...known, answer: keeps ? answer : null })], deletes: [] };
  }

  /** An operator gave it up: it is not done again, and who repeats it is told. */
  givenUp(call: string): Puts {
    const known = this.#known.get(call);
    if (!known) return [];
    known.state = 'given_up';
    return [put({ ...known, answer: null })];
  }

  /** What became of it; undefined where that is not kept. */
  async answer(call: string): Promise<ToolOutcome | Refusal | undefined> {
    const text = this.#answers.get(call) ?? (await this.#store.get(USE, [call]))?.answer;
    return text ? (JSON.parse(text) as ToolOutcome | Refusal) : undefined;
  }

  /** The answer of a call has left, or its connection was cut before. */
  told(call: string, isDelivered: boolean): void {
    const known = this.#known.get(call);
    if (!known) return;
    this.#setCut(known, !isDelivered);
    // A named one is kept for its retries, a doubt until somebody decides.
    if (!isDelivered || known.use !== null || known.state === 'in_doubt' || known.state === 'running') return;
    this.#forget(call);
    this.#due.push({ table: USE, key: [call] });
  }

  /** Rows that are not needed any more, for whoever writes next. */
  takeDue(): Deletes {
    const due = this.#due;
    this.#due = [];
    return due;
  }

  /** The outcomes of agents whose records are erased; of a doubt nothing but a commitment is here, and it stays. */
  erase(agents: ReadonlySet<number>): Deletes {
    const calls = [...this.#known.values()]
      .filter(({ agent, state }) => agents.has(agent) && state !== 'running' && state !== 'in_doubt')
      .map(({ call }) => call);
    for (const call of calls) this.#forget(call);
    return calls.map((call) => ({ table: USE, key: [call] }));
  }

  /** Those whose retries are not expected any more; a doubt stays until somebody decides. */
  #expire(now: number): void {
    for (const { call, state, at } of this.#known.values()) {
      const isFull = this.#known.size > LIMITS.uses.value;
      if (!isFull && at > now - LIMITS.usesKeptMs.value) return;
      if (state === 'running' || state === 'in_doubt') continue;
      this.#forget(call);
      this.#due.push({ table: USE, key: [call] });
    }
  }

  #keep(known: Known, isCut: boolean): void {
    this.#known.set(known.call, known);
    if (known.use !== null) this.#named.set(`${known.agent}/${known.use}`, known.call);
    this.#setCut(known, isCut);
  }

  /** Will its answer reach nobody, as far as anybody can tell? */
  #setCut({ call, agent, args, use }: Known, isCut: boolean): void {
    const key = `${agent}/${args}`;
    if (isCut && use === null) this.#untold.set(key, call);
    else if (this.#untold.get(key) === call) this.#untold.delete(key);
  }

  #forget(call: string): void {
    const known = this.#known.get(call);
    if (!known) return;
    this.#setCut(known, false);
    this.#known.delete(call);
    this.#answers.delete(call);
    if (known.use !== null) this.#named.delete(`${known.agent}/${known.use}`);
  }
}
