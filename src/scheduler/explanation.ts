/** What the scheduler says of a call that waits. Changes no order; an estimate that was told is remembered. */
import type { Caches } from './caches.ts';
import type { Estimates } from './estimates.ts';
import { LIMITS } from './limits.ts';
import type { PolicyCall } from './policy.ts';
import type { Running } from './preemption.ts';
import type { Queue, Waiting } from './queue.ts';
import type { Resource } from './resource.ts';

/** Another call that waits, and why it stands where it does. */
export interface Rival {
  readonly call: string;
  readonly agent: number;
  readonly reasons: readonly string[];
}
export interface Holder {
  readonly call: string;
  readonly agent: number;
  readonly resource: string;
  readonly sinceMs: number;
}
/** Why a call waits. */
export interface Explanation {
  readonly position: number;
  readonly ahead: number;
  /** Who is next before it and why, the first first, and who has what it waits for; at most `LIMITS.listedAhead` each. */
  readonly before: readonly Rival[];
  readonly holders: readonly Holder[];
  readonly resource: string;
  readonly reasons: string[];
  /** How much longer it should wait, and how far such estimates were off on average as a share; null: not known. */
  readonly estimateMs: number | null;
  readonly estimateError: number | null;
}

/** What is read of the scheduler to say it. */
interface Host {
  readonly running: ReadonlyMap<string, Running>;
  readonly queue: Queue;
  readonly resources: ReadonlyMap<string, Resource>;
  readonly caches: Caches;
  readonly estimates: Estimates;
  now(): number;
  meanServiceMs(): number;
  isOverdue(waiting: Waiting): boolean;
  /** Negative: the policy in force puts `a` first. */
  compare(a: string, b: string): number;
  reasonsFor(call: PolicyCall): string[];
}

export class Explaining {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Where a waiting call stands among those that want one of the same resources; undefined if it does not wait. */
  explain(call: string): Explanation | undefined {
    const { queue, resources, caches, estimates } = this.#host;
    const waiting = queue.get(call)?.waiting;
    if (!waiting) return undefined;
    const before = this.#inOrder(
      (other) => other.call !== call && this.#isRival(other, waiting) && this.#compare(other, waiting) < 0,
    );
    const slots = waiting.resources.flatMap((name) => {
      const resource = resources.get(name);
      return resource && !resource.pass ? [resource] : [];
    });
    const now = this.#host.now();
    const reasons = slots.map(({ name, busy, size }) => `${busy} of ${size} slots of ${name} are taken`);
    if (this.#host.isOverdue(waiting))
      reasons.push(
        'the maximum wait has passed, and as many calls as may pass it: it goes before every other order',
      );
    reasons.push(...slots.flatMap((resource) => caches.reason(waiting, resource, now) ?? []));
    reasons.push(...this.#host.reasonsFor(waiting));
    const estimateMs = this.#estimateMs(before.length, slots);
    if (estimateMs !== null) estimates.told(call, now, estimateMs);
    return {
      position: before.length + 1,
      ahead: before.length,
      before: before
        .slice(0, LIMITS.listedAhead.value)
        .map((other) => ({ call: other.call, agent: other.agent, reasons: this.whyNow(other) })),
      holders: this.#holders(slots, now),
      resource: waiting.resources[0] as string,
      reasons,
      estimateMs,
      estimateError: estimates.error,
    };
  }

  /** The first of those that wait, in the order in force over all resources, with the reasons of each. */
  line(count: number): { readonly waiting: Waiting; readonly reasons: string[] }[] {
    return this.#inOrder(() => true)
      .slice(0, count)
      .map((waiting) => ({ waiting, reasons: this.whyNow(waiting) }));
  }

  /** Why it would go now, if it did. */
  whyNow(waiting: Waiting): string[] {
    if (this.#host.isOverdue(waiting))
      return ['the maximum wait had passed, and as many calls as may pass it'];
    return this.#host.reasonsFor(waiting);
  }

  #inOrder(wanted: (waiting: Waiting) => boolean): Waiting[] {
    return [...this.#host.queue.values()]
      .map(({ waiting }) => waiting)
      .filter(wanted)
      .sort((a, b) => this.#compare(a, b));
  }

  #isRival(a: Waiting, b: Waiting): boolean {
    return a.resources.some((name) => {
      if (!b.resources.includes(name)) return false;
      return this.#host.resources.get(name)?.contend?.(a.call, b.call) ?? true;
    });
  }

  #compare(a: Waiting, b: Waiting): number {
    const overdue = this.#host.isOverdue(a);
    if (overdue !== this.#host.isOverdue(b)) return overdue ? -1 : 1;
    return overdue ? this.#host.queue.compareOverdue(a.call, b.call) : this.#host.compare(a.call, b.call);
  }

  #estimateMs(ahead: number, slots: readonly Resource[]): number | null {
    const meanMs = this.#host.meanServiceMs();
    if (meanMs === 0 || slots.length === 0) return null;
    const size = slots.reduce((sum, resource) => sum + resource.size, 0);
    return ((ahead + 1) * meanMs) / Math.max(1, size);
  }

  /** Who has had these for longest. */
  #holders(resources: readonly Resource[], now: number): Holder[] {
    return [...this.#host.running.values()]
      .filter(({ resource }) => resources.includes(resource))
      .slice(0, LIMITS.listedAhead.value)
      .map(({ waiting: { call, agent }, resource, startedAt }) => ({
        call,
        agent,
        resource: resource.name,
        sinceMs: now - startedAt,
      }));
  }
}
