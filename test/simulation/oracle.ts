/**
 * The oracle: a small model of its own of what a kernel must do, fed by what leaves the kernel - batches to the store,
 * bytes to a backend, answers to clients and operators. It never asks the code under test what is right.
 */

import { AGENT } from '../../src/db/schema/agents.ts';
import { CALL } from '../../src/db/schema/journal.ts';
import { applyEntry } from '../../src/journal/calls.ts';
import { Books } from './books.ts';
import type { Slots } from './market.ts';
import type { ModelRequest, Request } from './requests.ts';
import { Standing } from './standing.ts';
import type { Performance } from './upstream.ts';
import type { Entry, Views, Write } from './views.ts';
import { WaitCheck, type Watched } from './waiting.ts';

export interface Violation {
  readonly rule: string;
  readonly detail: string;
}

/** One call as it is seen from outside. */
interface Seen {
  readonly start: Entry;
  performance?: Performance;
  end?: Entry;
  /** Was its agent frozen, stopped or its key revoked when the kernel learned that START is durable? */
  barred?: string | undefined;
}

export interface Rules {
  /** Calls of one agent with the same arguments that may start within the window without a person. */
  readonly repeats: number;
  readonly windowMs: number;
}

export class Oracle {
  readonly violations: Violation[] = [];
  readonly views: Views;
  readonly standing: Standing;
  readonly #books: Books;
  readonly #waiting: WaitCheck;
  readonly #rules: Rules;
  #requestOf: (call: string, toolUseId: string | null) => Request | undefined;
  #calls = new Map<string, Seen>();
  #opened = new Set<number>();
  #orders = new Map<number, number>();
  #recent: { agent: number; digest: string; at: number }[] = [];
  /** The disk failed: the kernel must stop, and until it does it may only refuse. */
  storeFailed = false;
  slots: Slots = {};

  constructor(
    views: Views,
    rules: Rules,
    requestOf: (call: string, toolUseId: string | null) => Request | undefined,
  ) {
    this.views = views;
    this.#rules = rules;
    this.#requestOf = requestOf;
    const report = (rule: string, detail: string) => this.report(rule, detail);
    this.standing = new Standing(views);
    this.#books = new Books(views, report);
    this.#waiting = new WaitCheck(views, report);
  }

  report(rule: string, detail: string): void {
    this.violations.push({ rule, detail });
  }

  // --- what goes to the store

  queued(write: Write): void {
    for (const entry of write.entries) {
      this.#order(entry);
      if (entry.kind === 'call.start') this.#started(entry);
      if (entry.kind === 'call.end') this.#ended(entry);
      if (entry.kind === 'call.refuse') this.#refused(entry);
      this.standing.fold(entry);
    }
  }

  told(write: Write): void {
    for (const entry of write.entries) {
      const seen = entry.call === null ? undefined : this.#calls.get(entry.call);
      if (entry.kind === 'call.start' && seen)
        seen.barred = this.standing.bar(entry.agent, String(entry.body.key));
    }
  }

  #order(entry: Entry): void {
    const { entries } = this.views.queued;
    if (entries[entry.seq]?.seq !== entry.seq) this.report('dense-log', `entry ${entry.seq} leaves a gap`);
    const n = this.#orders.get(entry.agent) ?? 0;
    if (entry.n !== n) this.report('dense-order', `entry ${entry.seq} is ${entry.n} of its agent, not ${n}`);
    this.#orders.set(entry.agent, n + 1);
    if (entry.kind === 'agent.open') this.#opened.add(entry.agent);
    else if (entry.agent !== 0 && !this.#opened.has(entry.agent))
      this.report('open-first', `entry ${entry.seq} (${entry.kind}) of agent ${entry.agent}, never opened`);
  }

  #started(entry: Entry): void {
    const id = entry.call as string;
    const known = this.#calls.get(id);
    if (known && !known.end) this.report('one-attempt', `${id} starts again while an attempt is open`);
    this.#calls.set(id, { start: entry });
    const request = this.#requestOf(id, entry.body.toolUseId as string | null);
    if (!request) return this.report('asked-for', `${id} starts and nobody asked for it`);
    const chain = this.standing.chain(entry.agent);
    const held = this.standing.heldBack(chain);
    if (held) this.report('held-back', `${id} starts although ${held}`);
    if (this.standing.forbids(request, this.standing.policy)) this.report('forbidden', `${id} starts`);
    if (this.standing.forbidsBackend(String(entry.body.backend), this.standing.policy))
      this.report('forbidden', `${id} starts at ${entry.body.backend}`);
    this.#checkSlot(id, String(entry.body.backend), request);
    this.#checkApproval(entry, request);
    this.#books.start(entry, request, chain);
  }

  #checkSlot(id: string, backend: string, request: Request): void {
    if (request.kind === 'tool.call') return;
    const size = this.slots[backend];
    if (size === undefined) return this.report('slots', `${id} starts at ${backend}, which is not there`);
    const busy = this.holders(backend);
    if (busy > size)
      this.report('slots', `${id} is call number ${busy} at ${backend}, which has ${size} slots`);
  }

  #checkApproval(entry: Entry, request: Request): void {
    const id = entry.call as string;
    const { approval } = entry.body;
    const twins = this.#recent.filter(
      ({ agent, digest, at }) =>
        agent === entry.agent && digest === request.digest && at > entry.at - this.#rules.windowMs,
    );
    // A person who was asked about a repetition admits it, and the guard counts anew from this call on.
    if (typeof approval === 'string' && twins.length >= this.#rules.repeats)
      this.#recent = this.#recent.filter((call) => !twins.includes(call));
    this.#recent.push({ agent: entry.agent, digest: request.digest, at: entry.at });
    if (typeof approval === 'string') {
      const why = this.standing.spend(approval, entry.agent, request.digest, entry.at);
      if (why) this.report('approval-once', `${id} starts by approval ${approval}, which ${why}`);
      return;
    }
    if (this.standing.asks(request)) this.report('asks', `${id} starts and no person was asked`);
    if (twins.length >= this.#rules.repeats)
      this.report('loop', `${id} is the same call for the ${twins.length + 1}th time and nobody was asked`);
  }

  #ended(entry: Entry): void {
    const seen = this.#calls.get(entry.call as string);
    if (!seen) return this.report('end-has-start', `${entry.call} ends and never started`);
    if (seen.end) return this.report('one-end', `${entry.call} ends twice`);
    seen.end = entry;
    const { performance } = seen;
    if (performance && !performance.spent && entry.body.code !== 'in_doubt')
      this.report('end-after-perform', `${entry.call} ends while its backend still works`);
    if (!performance && entry.body.code === 'ok' && seen.start.body.kind !== 'tool.call')
      this.report('ok-is-performed', `${entry.call} ends as ok and was never performed`);
    this.#books.end(seen.start, entry, performance?.spent);
  }

  #refused(entry: Entry): void {
    const id = entry.call as string;
    const seen = this.#calls.get(id);
    if (seen) this.report('refuse-or-start', `${id} is refused after its START`);
    this.#books.refused(entry, this.#requestOf(id, entry.body.toolUseId as string | null));
  }

  // --- what leaves the kernel

  performs(performance: Performance): ModelRequest | undefined {
    const { ticket } = performance;
    const start = this.views.durable.entries.find(
      (entry) =>
        entry.kind === 'call.start' && entry.call === ticket.call && entry.body.attempt === ticket.attempt,
    );
    const seen = this.#calls.get(ticket.call);
    if (!start || !seen) {
      this.report('durable-start', `${ticket.call} is performed and its START is not durable`);
      return undefined;
    }
    if (seen.performance) this.report('performed-once', `${ticket.call} is performed twice in one attempt`);
    if (seen.end) this.report('perform-before-end', `${ticket.call} is performed after its END`);
    const bar = this.standing.bar(ticket.agent, String(start.body.key));
    if (bar) this.report('freeze', `${ticket.call} is performed after ${bar} took effect`);
    seen.performance = performance;
    const request = this.#requestOf(ticket.call, null);
    if (!request || request.kind === 'tool.call') return undefined;
    if (
      this.standing.forbids(request, this.standing.promisedPolicy) &&
      this.standing.forbids(request, this.standing.policy)
    )
      this.report('forbidden', `${ticket.call} is performed after a policy that forbids it took effect`);
    return request;
  }

  /** An operator was told that these agents are frozen or stopped, or a key revoked. */
  tookEffect(name: string): void {
    this.standing.enforce(name);
    for (const [id, { start, performance }] of this.#calls) {
      if (!performance || performance.spent || performance.call.signal.aborted) continue;
      const bar = this.standing.bar(start.agent, String(start.body.key));
      if (bar) this.report('cut-running', `${id} goes on after ${bar} took effect`);
    }
  }

  /** A client got the end of an answer, or was refused. */
  answered(call: string, result: 'done' | string): void {
    const { entries } = this.views.durable;
    const has = (kind: string) => entries.some((entry) => entry.kind === kind && entry.call === call);
    if (result === 'done') {
      if (!has('call.end'))
        this.report('ack-after-end', `${call} was acknowledged and its END is not durable`);
    } else if (
      !this.storeFailed &&
      result !== 'store_failed' &&
      result !== 'draining' &&
      !has('call.end') &&
      !has('call.refuse')
    ) {
      this.report('ack-after-end', `${call} was refused (${result}) and no entry says so`);
    }
  }

  /** A hook was told that its tool may run. */
  released(agents: readonly number[], toolUseId: string): void {
    const start = this.views.durable.entries.findLast(
      ({ kind, agent, body }) =>
        kind === 'call.start' && agents.includes(agent) && body.toolUseId === toolUseId,
    );
    const seen = start && this.#calls.get(start.call as string);
    if (!seen) return this.report('durable-start', `tool use ${toolUseId} runs and its START is not durable`);
    if (seen.barred)
      this.report('freeze', `${start.call} may run although ${seen.barred} took effect before`);
  }

  holders(backend: string): number {
    let count = 0;
    for (const { start, end, performance } of this.#calls.values())
      if (start.body.backend === backend && !end && !performance?.suspended) count++;
    return count;
  }

  standsAt(call: string): string | undefined {
    const known = this.#calls.get(call);
    return known?.performance?.suspended && !known.end ? String(known.start.body.backend) : undefined;
  }

  isPerforming(call: string): boolean {
    const performance = this.#calls.get(call)?.performance;
    return performance !== undefined && performance.spent === undefined;
  }

  // --- moments

  /** Nothing can go on until time passes. */
  still(watched: Watched): void {
    if (this.storeFailed) return;
    this.#waiting.check(watched, this);
  }

  /** The kernel died; what it had not written never happened. */
  crashed(): void {
    this.views.crash();
    this.storeFailed = false;
    const { entries } = this.views.durable;
    this.#calls = new Map();
    this.#opened = new Set();
    this.#orders = new Map();
    this.#recent = [];
    for (const entry of entries) {
      this.#orders.set(entry.agent, entry.n + 1);
      if (entry.kind === 'agent.open') this.#opened.add(entry.agent);
      if (entry.kind === 'call.start') this.#calls.set(entry.call as string, { start: entry });
      const seen = this.#calls.get(entry.call ?? '');
      if (entry.kind === 'call.end' && seen) seen.end = entry;
    }
    this.standing.restart();
    this.#books.restart((call, toolUseId) => this.#requestOf(call, toolUseId));
  }

  /** A kernel has opened the store and recovered. */
  recovered(): void {
    for (const [id, { start, end }] of this.#calls) {
      if (start.body.kind === 'tool.call' || end) continue;
      this.report('recovery', `${id} had started before the crash and has no END after recovery`);
    }
  }

  /** Nothing runs, waits or is written any more: all sums and rows must agree. */
  atRest(): void {
    this.#books.compare();
    const { durable, queued } = this.views;
    if (durable.entries.length !== queued.entries.length)
      this.report('at-rest', 'entries are still on the way');
    for (const row of durable.all(CALL)) {
      let folded = undefined as ReturnType<typeof applyEntry>;
      for (const entry of durable.entries) if (entry.call === row.id) folded = applyEntry(folded, entry);
      if (JSON.stringify(sorted(folded ?? {})) !== JSON.stringify(sorted(row)))
        this.report('rows-are-entries', `the row of ${row.id} is not what its entries say`);
    }
    for (const [approval, state] of this.standing.approvals()) {
      const row = this.standing.approvalRow(approval);
      if (row?.state !== state.state)
        this.report(
          'rows-are-entries',
          `approval ${approval} is ${row?.state} in its row, ${state.state} in the log`,
        );
    }
    for (const row of durable.all(AGENT))
      if (!this.#opened.has(row.pid)) this.report('open-first', `agent ${row.pid} has a row and no entry`);
  }
}

const sorted = (row: object) => Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
