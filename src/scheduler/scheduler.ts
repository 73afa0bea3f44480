/**
 * scheduler/ owns who waits for which resource and who is next. Invariants: no call waits for a resource that would
 * take it (work conservation); every share taken is given back once; a call that has waited longer than the maximum
 * goes before every policy's order. It must not know what a call does, what it costs or who may make it.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { LIMITS } from './limits.ts';
import { Order } from './order.ts';
import { compareKeys, type Policy, type PolicyConfig, type PolicyEvent } from './policy.ts';
import { type Place, Queue, type Waiting } from './queue.ts';
import type { Resource } from './resource.ts';

export type { Waiting };

interface Running {
  readonly waiting: Waiting;
  readonly resource: Resource;
  readonly startedAt: number;
}
export interface SchedulerOptions {
  readonly clock: Clock;
  readonly resources: readonly Resource[];
  readonly policy: Policy<unknown>;
  readonly maxWaitMs: number;
  /** How many calls may wait. */
  readonly queue: number;
}

export class Scheduler {
  #options: SchedulerOptions;
  readonly #resources = new Map<string, Resource>();
  readonly #queue = new Queue();
  readonly #running = new Map<string, Running>();
  #policy: Order;
  #order = 0;
  #meanServiceMs = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    for (const resource of options.resources) this.#resources.set(resource.name, resource);
    this.#policy = new Order(options.policy, this.#config(), []);
  }

  /** The name of the policy in charge: `fifo` after another one failed. */
  get policy(): string {
    return this.#policy.name;
  }

  /** Grants or refuses at once, or queues. A call that waits already keeps its place. */
  submit(waiting: Waiting): void {
    const id = waiting.call;
    assert(!this.#running.has(id), `call ${id} is submitted while it runs`);
    const refused = this.#unserved(waiting);
    const old = this.#queue.get(id);
    if (refused) {
      this.cancel(id);
      waiting.onRefuse(refused);
      return;
    }
    this.#queue.add(waiting, old?.order ?? this.#order++);
    if (!old) this.#tell({ kind: 'arrived', at: this.#now(), call: waiting });
    for (const name of waiting.resources) {
      if (!this.#queue.get(id)) return;
      this.#serve(name);
    }
    if (this.#queue.get(id) && this.#queue.size > this.#options.queue)
      this.#refuse(waiting, this.#full(waiting));
  }

  /** Takes a waiting call out of the queue. A running one is released instead. */
  cancel(call: string): void {
    const place = this.#queue.remove(call);
    if (!place) return;
    this.#tell({ kind: 'ended', at: this.#now(), call: place.waiting });
  }

  /** Gives the resource back and serves the next. Does nothing for a call that has given it back before. */
  release(call: string, resource: string): void {
    const running = this.#running.get(call);
    if (!running) return;
    assert(running.resource.name === resource, `call ${call} has ${running.resource.name}, not ${resource}`);
    this.#running.delete(call);
    running.resource.release(call);
    const now = this.#now();
    const serviceMs = now - running.startedAt;
    this.#meanServiceMs += 0.1 * (serviceMs - this.#meanServiceMs);
    this.#tell({ kind: 'ended', at: now, call: running.waiting });
    this.#serve(resource);
  }

  /** Tells the policy how much service a running call has had so far, in tokens. */
  served(call: string, tokens: number): void {
    const running = this.#running.get(call);
    if (running) this.#tell({ kind: 'served', at: this.#now(), call: running.waiting, tokens });
  }

  /** Other bounds from now on; calls that wait beyond a smaller queue keep their places. */
  tune({ maxWaitMs, queue }: Pick<SchedulerOptions, 'maxWaitMs' | 'queue'>): void {
    this.#options = { ...this.#options, maxWaitMs, queue };
  }

  /** Puts another policy in charge; it learns of every call that runs or waits. */
  setPolicy(policy: Policy<unknown>): void {
    const history: PolicyEvent[] = [];
    for (const { waiting, resource, startedAt } of this.#running.values()) {
      history.push({ kind: 'arrived', at: waiting.arrivedAt, call: waiting });
      history.push({ kind: 'started', at: startedAt, call: waiting, resource: resource.name });
    }
    for (const { waiting } of this.#queue.values()) {
      history.push({ kind: 'arrived', at: waiting.arrivedAt, call: waiting });
    }
    this.#policy = new Order(policy, this.#config(), history);
    this.#queue.doubtAll();
  }

  /** The resources from now on. One that stays keeps what is taken of it; calls that none is left for are refused. */
  setResources(resources: readonly Resource[]): void {
    const old = new Map(this.#resources);
    const used = new Map([...this.#running.values()].map(({ resource }) => [resource.name, resource]));
    this.#resources.clear();
    for (const resource of resources) {
      const kept = old.get(resource.name) ?? used.get(resource.name);
      kept?.resize(resource.size);
      this.#resources.set(resource.name, kept ?? resource);
    }
    this.#tell({ kind: 'tuned', at: this.#now(), config: this.#config() });
    for (const { waiting } of [...this.#queue.values()]) {
      const refused = this.#unserved(waiting);
      if (refused) this.#refuse(waiting, refused);
    }
    for (const name of [...this.#resources.keys()]) this.#serve(name);
  }

  /** Where a waiting call stands among those that want one of the same resources; undefined if it does not wait. */
  explain(
    call: string,
  ): { position: number; ahead: number; resource: string; reasons: string[] } | undefined {
    const place = this.#queue.get(call);
    if (!place) return undefined;
    const { waiting } = place;
    const rivals = [...this.#queue.values()].filter((other) =>
      other.waiting.resources.some((name) => waiting.resources.includes(name)),
    );
    const ahead = rivals.filter((other) => other !== place && this.#compare(other, place) < 0).length;
    const reasons = waiting.resources.flatMap((name) => {
      const resource = this.#resources.get(name);
      return resource ? [`${resource.busy} of ${resource.size} slots of ${name} are taken`] : [];
    });
    if (this.#isOverdue(waiting))
      reasons.push('the maximum wait has passed: it goes before every other order');
    reasons.push(...this.#policy.reasonsFor(waiting));
    return { position: ahead + 1, ahead, resource: waiting.resources[0] as string, reasons };
  }

  /** How many calls wait (for this resource). */
  waiting(resource?: string): number {
    return resource === undefined ? this.#queue.size : this.#queue.count(resource);
  }

  busy(resource: string): number {
    return this.#resources.get(resource)?.busy ?? 0;
  }

  /** Grants the resource to the first who can take it, again and again until it is full or nobody is left. */
  #serve(name: string): void {
    const resource = this.#resources.get(name);
    const passed = new Set<string>();
    while (resource && resource.busy < resource.size) {
      const place = this.#queue.first(name, passed, this.#policy, this.#now() - this.#options.maxWaitMs);
      if (!place) return;
      const { waiting } = place;
      if (waiting.deadlineAt <= this.#now()) this.#refuse(waiting, this.#late(waiting));
      else if (resource.tryAcquire(waiting.call)) this.#grant(waiting, resource);
      else passed.add(waiting.call);
    }
  }

  #compare(a: Place, b: Place): number {
    const overdue = this.#isOverdue(a.waiting);
    if (overdue !== this.#isOverdue(b.waiting)) return overdue ? -1 : 1;
    const order = overdue
      ? a.waiting.arrivedAt - b.waiting.arrivedAt
      : compareKeys(this.#policy.keyOf(a.waiting), this.#policy.keyOf(b.waiting));
    return order || a.order - b.order;
  }

  #grant(waiting: Waiting, resource: Resource): void {
    const now = this.#now();
    this.#queue.remove(waiting.call);
    this.#running.set(waiting.call, { waiting, resource, startedAt: now });
    this.#tell({ kind: 'started', at: now, call: waiting, resource: resource.name });
    waiting.onGrant(resource.name);
  }

  #refuse(waiting: Waiting, reason: Refusal): void {
    this.cancel(waiting.call);
    waiting.onRefuse(reason);
  }

  #unserved(waiting: Waiting): Refusal | undefined {
    if (waiting.resources.some((name) => this.#resources.has(name))) return undefined;
    return refusal(
      'stale',
      `None of the backends this call could use is there any more: ${waiting.resources.join(', ')}.`,
      {
        remedy: 'send the call again; `mezz backend` lists the backends',
      },
    );
  }

  #full(waiting: Waiting): Refusal {
    return refusal('busy', `${this.#options.queue} calls wait already, as many as may.`, {
      retryAfterMs: this.#retryAfterMs(waiting),
    });
  }

  #late(waiting: Waiting): Refusal {
    return refusal(
      'busy',
      `No slot of ${waiting.resources.join(' or ')} became free before the call's deadline.`,
      {
        retryAfterMs: this.#retryAfterMs(waiting),
      },
    );
  }

  /** When the queue ahead should be through: its length times the mean service time, over the slots. */
  #retryAfterMs(waiting: Waiting): number {
    const slots = waiting.resources.reduce((sum, name) => sum + (this.#resources.get(name)?.size ?? 0), 0);
    const wait = Math.ceil((this.#queue.size * this.#meanServiceMs) / Math.max(1, slots));
    return Math.min(LIMITS.retryAfterMostMs.value, Math.max(LIMITS.retryAfterLeastMs.value, wait));
  }

  #isOverdue(waiting: Waiting): boolean {
    return this.#now() - waiting.arrivedAt >= this.#options.maxWaitMs;
  }

  #tell(event: PolicyEvent): void {
    const { fault } = this.#policy;
    this.#policy.tell(event);
    if (event.kind === 'tuned' || this.#policy.fault !== fault) this.#queue.doubtAll();
    else if (!this.#policy.isFixed) this.#queue.doubt(event.call);
  }

  #config(): PolicyConfig {
    return { resources: [...this.#resources.values()].map(({ name, size }) => ({ name, size })) };
  }

  #now(): number {
    return this.#options.clock.now();
  }
}
