/**
 * Durable questions to a person, each bound to the digest of one exact call. One approval admits one call; the same
 * call asked again while its question is open finds it, also after a restart; what nobody answers in time is denied.
 */
import type { ApprovalView } from '../base/control.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { isRecord, type Json, type JsonRecord, parseJson } from '../base/json.ts';
import { APPROVAL, type ApprovalRow } from '../db/schema/access.ts';
import type { Batch, Store } from '../db/store.ts';
import { LIMITS } from './limits.ts';

export type Puts = NonNullable<Batch['puts']>;

export interface Approval extends ApprovalView {
  readonly answeredAt: number | null;
  readonly answeredBy: string | null;
}

export interface Question {
  readonly id: string;
  readonly agent: number;
  readonly agentName: string;
  readonly action: string;
  readonly target: string;
  readonly args: JsonRecord;
  readonly digest: string;
  readonly rule: string;
}

const isLive = (approval: Approval) => approval.state === 'open' || approval.state === 'approved';
const callOf = (agent: number, digest: string) => `${agent} ${digest}`;

export class Approvals {
  /** Open, or approved and not used yet. */
  readonly #live = new Map<string, Approval>();
  readonly #closed = new Map<string, Approval>();
  readonly #byCall = new Map<string, string>();

  /** Reads every live row and the newest closed ones. */
  static async open(store: Store): Promise<Approvals> {
    const approvals = new Approvals();
    for (const state of ['open', 'approved']) {
      const limit = LIMITS.approvalsOpen.value;
      const rows = await store.range(APPROVAL, { by: ['state', 'id'], prefix: [state], limit });
      for (const row of rows) approvals.#keep(approvalOf(row));
    }
    const rows = await store.range(APPROVAL, { reverse: true, limit: LIMITS.approvalsClosed.value });
    for (const row of rows.reverse()) if (!approvals.#live.has(row.id)) approvals.#keep(approvalOf(row));
    return approvals;
  }

  /** The approval that admits this exact call now, if a person gave one and it was not used. */
  findApproved(pid: number, digest: string, now: number): Approval | undefined {
    const approval = this.#live.get(this.#byCall.get(callOf(pid, digest)) ?? '');
    return approval?.state === 'approved' && now < approval.expiresAt ? approval : undefined;
  }

  /**
   * Opens a question, or finds the one already there for the same agent and digest. `expiresMs` counts from `now`.
   * The caller commits `puts` and journals what had to make room or had run out, `displaced`.
   */
  open(
    question: Question,
    now: number,
    expiresMs: number,
  ): { approval: Approval; isNew: boolean; displaced: Approval | undefined; puts: Puts } {
    const known = this.#live.get(this.#byCall.get(callOf(question.agent, question.digest)) ?? '');
    if (known && now < known.expiresAt)
      return { approval: known, isNew: false, displaced: undefined, puts: [] };
    const displaced = known ?? (this.#live.size < LIMITS.approvalsOpen.value ? undefined : this.#oldest());
    const puts = displaced ? [this.#change(displaced, { state: 'expired' })] : [];
    const approval: Approval = {
      ...question,
      args: shortenArgs(question.args),
      state: 'open',
      openedAt: now,
      expiresAt: now + expiresMs,
      answeredAt: null,
      answeredBy: null,
    };
    this.#keep(approval);
    return { approval, isNew: true, displaced, puts: [...puts, putOf(approval)] };
  }

  /** A person's answer. A second answer, or one that comes too late, is refused. */
  answer(id: string, yes: boolean, by: string, now: number): { approval: Approval; puts: Puts } | Refusal {
    const approval = this.find(id);
    if (!approval) {
      return refusal('not_found', `No approval ${id}.`, { remedy: 'mezz inbox lists the open ones' });
    }
    if (approval.state !== 'open' || now >= approval.expiresAt) {
      const state = approval.state === 'open' ? 'expired' : approval.state;
      return refusal('stale', `Approval ${approval.id} is ${state}.`, { remedy: 'Let the agent try again.' });
    }
    const put = this.#change(approval, {
      state: yes ? 'approved' : 'denied',
      answeredAt: now,
      answeredBy: by,
    });
    return { approval: approvalOf(put.row), puts: [put] };
  }

  /** Spends an approval: it admits no second call. */
  use(id: string, now: number): { puts: Puts } {
    const approval = this.#live.get(id);
    if (approval?.state !== 'approved' || now >= approval.expiresAt) return { puts: [] };
    return { puts: [this.#change(approval, { state: 'used' })] };
  }

  /** Closes what ran out of time; nothing expired is ever admitted, even before this is called. */
  expire(now: number): { expired: Approval[]; puts: Puts } {
    const late = [...this.#live.values()].filter(({ expiresAt }) => now >= expiresAt);
    const puts = late.map((approval) => this.#change(approval, { state: 'expired' }));
    return { expired: puts.map(({ row }) => approvalOf(row)), puts };
  }

  /** Takes the arguments out of every question of these agents, closed ones too; an open one is over. */
  async erase(store: Store, agents: ReadonlySet<number>): Promise<{ closed: string[]; puts: Puts }> {
    const closed: string[] = [];
    const puts = new Map<string, Puts[number]>();
    const erase = (approval: Approval) => {
      if (!agents.has(approval.agent) || puts.has(approval.id)) return;
      if (approval.state === 'open') closed.push(approval.id);
      const state = isLive(approval) ? 'expired' : approval.state;
      puts.set(approval.id, this.#change(approval, { args: {}, digest: '', state }));
    };
    // Memory first: a question that was just asked may not be in the store yet.
    for (const approval of [...this.#live.values(), ...this.#closed.values()]) erase(approval);
    for (let from = ''; ; ) {
      const page = await store.range(APPROVAL, { from, limit: LIMITS.page.value });
      for (const row of page) erase(this.find(row.id) ?? approvalOf(row));
      if (page.length < LIMITS.page.value) return { closed, puts: [...puts.values()] };
      from = page.at(-1)?.id ?? '';
    }
  }

  /** By id, or by a prefix that only one approval has. */
  find(idOrPrefix: string): Approval | undefined {
    const exact = this.#live.get(idOrPrefix) ?? this.#closed.get(idOrPrefix);
    if (exact || idOrPrefix === '') return exact;
    const found = this.list(true).filter(({ id }) => id.startsWith(idOrPrefix));
    return found.length === 1 ? found[0] : undefined;
  }

  /** The open ones, oldest first; with `all` the others still in memory too. */
  list(all: boolean): Approval[] {
    const every = [...this.#live.values(), ...(all ? this.#closed.values() : [])];
    return every
      .filter(({ state }) => all || state === 'open')
      .sort((a, b) => a.openedAt - b.openedAt || (a.id < b.id ? -1 : 1));
  }

  #oldest(): Approval | undefined {
    return this.#live.values().next().value;
  }

  #change(approval: Approval, change: Partial<Approval>): { table: typeof APPROVAL; row: ApprovalRow } {
    const changed = { ...approval, ...change };
    this.#keep(changed);
    return putOf(changed);
  }

  #keep(approval: Approval): void {
    const call = callOf(approval.agent, approval.digest);
    if (isLive(approval)) {
      this.#live.set(approval.id, approval);
      this.#byCall.set(call, approval.id);
      return;
    }
    this.#live.delete(approval.id);
    if (this.#byCall.get(call) === approval.id) this.#byCall.delete(call);
    this.#closed.set(approval.id, approval);
    if (this.#closed.size > LIMITS.approvalsClosed.value) {
      this.#closed.delete(this.#closed.keys().next().value as string);
    }
  }
}

const putOf = (approval: Approval) => ({
  table: APPROVAL,
  row: { ...approval, args: JSON.stringify(approval.args) },
});

function approvalOf(row: ApprovalRow): Approval {
  const args = parseJson(row.args);
  return { ...row, args: isRecord(args) ? args : {}, state: row.state as Approval['state'] };
}

/** For a person to read; what the answer is bound to is the digest of the exact arguments. */
function shortenArgs(args: JsonRecord): JsonRecord {
  const short = shorten(args) as JsonRecord;
  const text = JSON.stringify(short);
  return text.length <= LIMITS.approvalArgs.value
    ? short
    : { shortened: text.slice(0, LIMITS.approvalText.value) };
}

function shorten(value: Json): Json {
  if (typeof value === 'string') {
    const beyond = value.length - LIMITS.approvalText.value;
    return beyond <= 0 ? value : `${value.slice(0, LIMITS.approvalText.value)} ... ${beyond} more characters`;
  }
  if (Array.isArray(value)) return value.map(shorten);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shorten(member)]));
}
