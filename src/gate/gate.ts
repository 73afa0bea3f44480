/**
 * gate/ owns the walk of every syscall: decide, fit, schedule, re-check and reserve, START, perform, END.
 * Invariant: no effect without a durable START, no END without a START, nothing acknowledged before END is durable;
 * whatever waits is in the table of waits. It does not know HTTP, dialects' bytes or the command line.
 */
import type { Agent } from '../agents/table.ts';
import type { TraceStep } from '../base/control.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import type { CallId } from '../base/ids.ts';
import type { ModelOutcome } from '../base/model.ts';
import { Recent } from '../base/recent.ts';
import type { Outcomes, SyscallKind } from '../base/syscall.ts';
import { reserve } from './admit.ts';
import { ask } from './ask.ts';
import { awaiting, type Decided, decide } from './decide.ts';
import { end } from './end.ts';
import { Exhausted } from './exhausted.ts';
import { fit } from './fit.ts';
import type { Flight, Stage } from './flight.ts';
import { RateLimits, waitNow } from './limit.ts';
import { LIMITS } from './limits.ts';
import { forgetLocks, inspect, needsLook } from './locking.ts';
import { applyChange, type Changeable } from './open.ts';
import type { Parts } from './parts.ts';
import { settleRunning } from './pause.ts';
import { perform } from './perform.ts';
import { recordRefusal, refusedCall } from './refuse.ts';
import { Retries } from './retries.ts';
import { releaseSlot, schedule } from './schedule.ts';
import { start } from './start.ts';
import { prepare } from './transform.ts';
import { tellWaiting } from './waiting.ts';
import type { Wait, Woken } from './waits.ts';

type Waiting = Extract<Stage<never>, { kind: 'wait' }>;

export type Walked<K extends SyscallKind> =
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly call: CallId }
  | { readonly kind: 'done'; readonly outcome: Outcomes[K]; readonly call: CallId };

export class Gate {
  readonly parts: Parts;
  readonly exhausted: Exhausted;
  readonly limits: RateLimits;
  /** Calls between arrival and END. */
  readonly flights = new Map<CallId, Flight>();
  /** Agents whose client says that it waits for its user. */
  readonly waitingForYou = new Set<number>();
  /** The steps of the latest calls, for `mezz trace`; what is older is told from its entries. */
  readonly recentSteps = new Recent<string, readonly TraceStep[]>(LIMITS.recentTraces.value);
  readonly #retries = new Retries();
  #draining = false;
  #spans = 0;
  #whenIdle: (() => void) | undefined;

  constructor(parts: Parts) {
    this.parts = parts;
    this.exhausted = new Exhausted(parts, (agents) => this.wake(agents));
    this.limits = new RateLimits(parts, (agent, limit, untilMs) =>
      this.exhausted.sleep(agent, limit, untilMs),
    );
  }

  /** All that wait, each with what keeps it back just now. */
  waits(): Wait[] {
    const { parts, flights } = this;
    return [...parts.waits.all()].map((wait) => waitNow(parts, flights.get(wait.call), wait));
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** The one way in. Resolves when END (or the refusal) is queued durably; rejects only for bugs. */
  async walk<K extends SyscallKind>(flight: Flight<K>): Promise<Walked<K>> {
    const id = flight.call.id;
    const shut = this.#draining ? DRAINING : this.parts.barred();
    if (shut) {
      this.parts.observer.ended(refusedCall(flight as unknown as Flight, shut, this.parts.clock.now()));
      return { kind: 'refused', refusal: shut, call: id };
    }
    this.flights.set(id, flight as unknown as Flight);
    this.parts.ending.add(id);
    const generic = flight as unknown as Flight;
    flight.since = this.#retries.claim(generic);
    try {
      const walked = await this.#walk(flight);
      if (isUnserved(walked)) this.#retries.leave(generic, this.parts.clock.now());
      return walked;
    } finally {
      releaseSlot(this.parts, generic);
      forgetLocks(this.parts, generic);
      this.flights.delete(id);
      this.parts.ending.delete(id);
      this.recentSteps.set(id, flight.steps);
      this.#settle();
    }
  }

  async #walk<K extends SyscallKind>(flight: Flight<K>): Promise<Walked<K>> {
    for (let entries = 0, attempt = 0; entries < LIMITS.reentries.value; entries++) {
      const walked = await this.#enter(flight);
      if (walked !== 'again') return walked;
      // What was sent and refused by a rate limit is bounded by its deadline.
      if (flight.attempt > attempt) entries = 0;
      attempt = flight.attempt;
    }
    return this.#refuse(
      flight,
      refusal('busy', 'The call was interrupted too often.', { retryAfterMs: 1000 }),
    );
  }

  /** Work that spans several walks, a held answer's: a drain waits for it as for one. */
  async span<T>(work: () => Promise<T>): Promise<T> {
    this.#spans++;
    try {
      return await work();
    } finally {
      this.#spans--;
      this.#settle();
    }
  }

  get #idle(): boolean {
    return this.flights.size === 0 && this.#spans === 0;
  }

  #settle(): void {
    if (this.#idle) this.#whenIdle?.();
  }

  /** One pass from decide on; `again` after a wait or when an epoch moved underneath. */
  async #enter<K extends SyscallKind>(flight: Flight<K>): Promise<Walked<K> | 'again'> {
    const { parts } = this;
    const generic = flight as unknown as Flight;
    const epoch = parts.epochs.value;
    const decided = decide(parts, generic);
    if (decided.kind !== 'go') return this.#halt(flight, decided);
    const staged = this.#stage(generic);
    if (staged.kind !== 'go') return this.#halt(flight, staged);
    // Files are looked at, which takes time: what was decided before is decided again.
    if (needsLook(parts, generic)) return (await this.#look(flight)) ?? 'again';
    if (parts.epochs.value !== epoch) return 'again';
    const reserved = reserve(parts, generic);
    if (reserved.kind !== 'go') return this.#halt(flight, reserved);
    return this.#dispatch(flight, decided.value, epoch);
  }

  /** The stages between decide and reserve, up to the first that does not let it go. */
  #stage(flight: Flight): Stage<void> {
    const fitted = fit(this.parts, flight);
    if (fitted.kind !== 'go') return fitted;
    const limited = this.limits.stage(flight);
    return limited.kind === 'go' ? schedule(this.parts, flight) : limited;
  }

  async #look<K extends SyscallKind>(flight: Flight<K>): Promise<Walked<K> | undefined> {
    const stale = await inspect(this.parts, flight as unknown as Flight);
    return stale && this.#refuse(flight, stale);
  }

  async #dispatch<K extends SyscallKind>(
    flight: Flight<K>,
    decided: Decided,
    epoch: number,
  ): Promise<Walked<K> | 'again'> {
    const { parts } = this;
    const generic = flight as unknown as Flight;
    const unprepared = prepare(generic, parts.clock.now());
    if (unprepared) {
      parts.ledger.release(flight.call.id);
      return this.#refuse(flight, unprepared);
    }
    this.limits.enter(generic);
    const ticket = await start(parts, generic, decided);
    if ('code' in ticket) {
      this.limits.leave(generic, undefined);
      return { kind: 'refused', refusal: ticket, call: flight.call.id };
    }
    // A freeze or a kill may have come while START was being written: nothing may leave after it took effect.
    const barred = parts.epochs.value === epoch ? undefined : this.#recheck(generic, decided);
    const outcome =
      barred ?? (await perform(parts, flight, ticket, (headers) => this.limits.heard(generic, headers)));
    const sent = 'code' in outcome ? undefined : (outcome as ModelOutcome);
    // An approval admits one sending: a second one would be asked about again.
    const isAbsorbed = this.limits.leave(generic, sent) && decided.approval === undefined;
    const ended = await end(parts, generic, outcome);
    if (ended) return { kind: 'refused', refusal: ended, call: flight.call.id };
    if ('code' in outcome) return { kind: 'refused', refusal: outcome, call: flight.call.id };
    if (isAbsorbed) {
      flight.startedAt = undefined;
      return 'again';
    }
    return { kind: 'done', outcome, call: flight.call.id };
  }

  #recheck(flight: Flight, before: Decided): Refusal | undefined {
    // The approval that admitted this call is used up by START; the second look must not ask for another.
    const again = decide(this.parts, flight);
    if (again.kind === 'refuse') return again.refusal;
    if (again.kind === 'wait' && before.approval === undefined)
      return refusal('denied', 'The access policies changed while the call was being started.');
    const at = flight.granted?.backend.id;
    return at === undefined || flight.candidates.some(({ backend }) => backend.id === at)
      ? undefined
      : refusal('stale', `The backend ${at} may no longer take the call that was being started there.`, {
          remedy: 'send the call again',
        });
  }

  async #halt<K extends SyscallKind>(flight: Flight<K>, stage: Stage<unknown>): Promise<Walked<K> | 'again'> {
    if (stage.kind === 'refuse') return this.#refuse(flight, stage.refusal);
    if (stage.kind === 'go') return 'again';
    // A slot is never held while a call waits for something else, be it for the disk.
    releaseSlot(this.parts, flight as unknown as Flight);
    const woken = await (stage.reason === 'approval'
      ? this.#askFirst(flight as unknown as Flight, stage)
      : this.#park(flight as unknown as Flight, stage, flight.deadlineAt));
    return woken.kind === 'again' ? 'again' : this.#refuse(flight, woken.refusal);
  }

  /** Writes the question, then waits for its answer. */
  async #askFirst(flight: Flight, stage: Waiting): Promise<Woken> {
    const { parts } = this;
    const epoch = parts.epochs.value;
    const asked = await ask(parts, flight, stage.resource, stage.ofTree ?? false);
    if ('code' in asked) return { kind: 'refuse', refusal: asked };
    const deadlineAt = Math.min(flight.deadlineAt, parts.clock.now() + parts.settings.askHoldMs);
    const named = { ...stage, resource: asked.id, onDeadline: () => awaiting(flight, asked.id) };
    // While the question was written an answer or a freeze may have come, and woke nobody: this call did not wait yet.
    const isMoot = parts.epochs.value !== epoch || parts.approvals.find(asked.id)?.state !== 'open';
    const woken: Woken = isMoot ? { kind: 'again' } : await this.#park(flight, named, deadlineAt);
    const answer = parts.approvals.find(asked.id);
    // Whichever of the tree's calls wakes first: the answer is for all that waited for it.
    if (answer?.state === 'approved') parts.loops.answered(flight.guarded.tree, asked.id);
    if (woken.kind === 'refuse' || (answer?.state !== 'denied' && answer?.state !== 'expired')) return woken;
    const why = `A person was asked and the answer is no (${answer.state}).`;
    return {
      kind: 'refuse',
      refusal: refusal('denied', why, { rule: answer.rule, approval: answer.id }),
    };
  }

  async #park(flight: Flight, stage: Waiting, deadlineAt: number): Promise<Woken> {
    const { parts } = this;
    if (this.#draining) return { kind: 'refuse', refusal: DRAINING };
    const { reason, resource } = stage;
    const { id, agent, kind, arrivedAt } = flight.call;
    const since = parts.clock.now();
    const untilAt = stage.holdMs === undefined ? deadlineAt : Math.min(deadlineAt, since + stage.holdMs);
    flight.step(since, 'wait', `${reason} ${resource}`);
    const wait = { call: id, agent, kind, reason, resource, arrivedAt, since, deadlineAt: untilAt };
    const sink = 'sink' in flight.call.payload ? flight.call.payload.sink : undefined;
    sink?.waits(true);
    const unwatch = this.limits.watch(flight);
    const quiet = tellWaiting(parts, flight, reason, resource);
    const woken = await parts.waits.park(wait, flight.signal, stage.onDeadline);
    unwatch();
    quiet();
    sink?.waits(false);
    // Woken for another reason than a slot: leave the queue; the time of arrival keeps the place.
    if (flight.granted === undefined) parts.scheduler.cancel(id);
    return woken;
  }

  async #refuse<K extends SyscallKind>(flight: Flight<K>, why: Refusal): Promise<Walked<K>> {
    flight.step(this.parts.clock.now(), 'refuse', why.code);
    releaseSlot(this.parts, flight as unknown as Flight);
    if (why.code === 'over_budget') this.exhausted.expect(flight.agent);
    await recordRefusal(this.parts, flight as unknown as Flight, why);
    return { kind: 'refused', refusal: why, call: flight.call.id };
  }

  /** Ends what these agents have running and sends what they have waiting back to decide. */
  interrupt(agents: ReadonlySet<number>, why: string): void {
    this.parts.epochs.advance();
    this.parts.waits.wakeAgents(agents);
    for (const flight of this.flights.values()) {
      if (flight.startedAt !== undefined && agents.has(flight.agent.pid)) flight.killer.abort(new Error(why));
    }
  }

  /** New settings are in force from here on: whatever waits is decided again by them. */
  change(next: Changeable): void {
    applyChange(this.parts, next);
    this.reconsider();
  }

  /** What decides has changed: nothing goes on, and nothing waits, by a decision of before. */
  reconsider(): void {
    this.parts.epochs.advance();
    for (const { call } of [...this.parts.waits.all()]) this.parts.waits.wake(call);
  }

  /** Ends what runs under a key that was revoked. */
  interruptKey(keyId: string): void {
    const agents = [...this.parts.agents.all()].filter((agent) => agent.keyId === keyId);
    this.interrupt(new Set(agents.map((agent) => agent.pid)), 'key revoked');
  }

  /** What holds these agents back has changed: what they and all below them have waiting is decided again. */
  wake(agents: readonly Agent[]): void {
    const { parts } = this;
    parts.epochs.advance();
    const tree = new Set(agents.flatMap((agent) => parts.agents.tree(agent).map(({ pid }) => pid)));
    parts.waits.wakeAgents(tree);
    settleRunning(this.flights.values(), tree);
  }

  /** No new calls; resolves when those in flight have ended or `graceMs` has passed (then they are cut). */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    for (const wait of [...this.parts.waits.all()])
      this.parts.waits.wake(wait.call, { kind: 'refuse', refusal: DRAINING });
    if (this.#idle) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
      this.parts.clock.after(graceMs, () => {
        for (const flight of this.flights.values()) flight.killer.abort(new Error('shutting down'));
      });
      this.parts.clock.after(graceMs + LIMITS.drainCutMs.value, resolve);
    });
  }
}

/** Refused for want of room, or left while it waited: the client asks again. */
function isUnserved(walked: Walked<SyscallKind>): boolean {
  if (walked.kind === 'refused') return walked.refusal.code === 'busy' || walked.refusal.code === 'cancelled';
  return 'status' in walked.outcome && (walked.outcome.status === 429 || walked.outcome.status === 529);
}

const DRAINING: Refusal = refusal('draining', 'The kernel is shutting down.', {
  retryAfterMs: 2000,
  remedy: 'mezz up',
});
