/**
 * scheduler/ owns who waits for which resource and who is next. Invariants: no call waits for a resource that would
 * take it, but behind one whose turn it is (work conservation); every share taken is given back once; a call that has
 * waited longer than the maximum and was passed by `LIMITS.passes` times as many as waited when it came goes before every
 * policy's order. It must not know what a call does, what it costs or who may make it.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Refusal } from '../base/errors.ts';
import { Attained } from './attained.ts';
import { eventsSoFar } from './beginning.ts';
import { type Admitted, Caches } from './caches.ts';
import { differ, type Terms } from './cost.ts';
import { Estimates } from './estimates.ts';
import { Explaining, type Explanation } from './explanation.ts';
import { History } from './history.ts';
import { LIMITS } from './limits.ts';
import type { Meter } from './meter.ts';
import { type Beginning, Order } from './order.ts';
import { fifo } from './policies/fifo.ts';
import {
  type Policy,
  type PolicyConfig,
  type PolicyEvent,
  plainCall,
  type Tuning,
  type Used,
} from './policy.ts';
import { newRunning, Preemption, type Running } from './preemption.ts';
import { type Grant, lineOf, Queue, type Waiting } from './queue.ts';
import { full, late, unserved } from './refusals.ts';
import type { Resource } from './resource.ts';
import { Tolls } from './tolls.ts';

export type { Explanation, Grant, Waiting };

export interface SchedulerOptions {
  readonly clock: Clock;
  readonly resources: readonly Resource[];
  readonly policy: Policy<unknown>;
  readonly maxWaitMs: number;
  /** How many calls may wait. */
  readonly queue: number;
  readonly tuning?: Tuning;
  /** What turns that finished before have taught. */
  readonly history?: History;
  /** Rate limits that may hold calls back although a slot is free. */
  readonly meter?: Meter;
  /** A policy failed and was replaced. */
  onFault?(why: string): void;
}

const NONE: ReadonlySet<string> = new Set();

export const PLAIN: Tuning = { weights: {}, reload: 1 };

export class Scheduler {
  #options: SchedulerOptions;
  #tuning: Tuning;
  readonly #history: History;
  /** What turns have had, for the history: policies keep accounts of their own. */
  readonly #attained: Attained;
  readonly #resources = new Map<string, Resource>();
  readonly #caches = new Caches();
  /** What not everyone can have at once (locks) may pass nobody: who was refused it would be refused it again and again. */
  readonly #queue = new Queue((name) => (this.#resources.get(name)?.pass ? 0 : LIMITS.passes.value));
  readonly #running = new Map<string, Running>();
  readonly #estimates = new Estimates();
  readonly #tolls: Tolls;
  readonly #explaining: Explaining;
  /** Running calls that stop for others and go on. */
  readonly preemption: Preemption;
  #policy: Order;
  /** What happened lately, for a policy that is put in charge. */
  #log: PolicyEvent[] = [];
  #toldFault: string | undefined;
  /** The call that is submitted just now: if it is granted, it did not wait. */
  #arriving: string | undefined;
  #order = 0;
  #meanServiceMs = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#tuning = options.tuning ?? PLAIN;
    this.#history = options.history ?? new History();
    this.#tolls = new Tolls(options.meter, options.clock, (resource) => this.#serve(resource));
    for (const resource of options.resources) this.#resources.set(resource.name, resource);
    this.#attained = new Attained(this.#config());
    this.#policy = this.#newOrder(options.policy, fifo);
    this.#explaining = new Explaining({
      running: this.#running,
      queue: this.#queue,
      resources: this.#resources,
      caches: this.#caches,
      estimates: this.#estimates,
      now: () => this.#now(),
      meanServiceMs: () => this.#meanServiceMs,
      isOverdue: (waiting) => this.#isOverdue(waiting),
      compare: (a, b) => this.#queue.compare(a, b, this.#policy),
      reasonsFor: (call) => this.#policy.reasonsFor(call),
    });
    this.preemption = new Preemption({
      running: this.#running,
      queue: this.#queue,
      now: () => this.#now(),
      isOverdue: (waiting) => this.#isOverdue(waiting),
      first: (resource) => this.#next(resource),
      keyOf: (call) => this.#policy.keyOf(call),
      fits: (call, resource) =>
        (this.#caches.view(resource)?.windowTokens ?? null) === null
          ? undefined
          : this.#caches.fits(call, resource, this.#now()),
      serve: (name) => this.#serve(name),
      nextOrder: () => this.#order++,
    });
  }

  /** The name of the policy in charge: another one's after it failed. */
  get policy(): string {
    return this.#policy.policy.name;
  }

  get inForce(): Policy<unknown> {
    return this.#policy.policy;
  }

  /** Why the policy that was set is not in charge, if it is not. */
  get fault(): string | undefined {
    return this.#policy.fault;
  }

  get tuning(): Tuning {
    return this.#tuning;
  }

  get bounds(): Pick<SchedulerOptions, 'maxWaitMs' | 'queue'> {
    const { maxWaitMs, queue } = this.#options;
    return { maxWaitMs, queue };
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
    if (this.#grantAtOnce(waiting)) return;
    this.#queue.add(waiting, old?.order ?? this.#order++);
    if (!old) this.#tell({ kind: 'arrived', at: this.#now(), call: plainCall(waiting) });
    this.#arriving = id;
    for (const name of waiting.resources) if (this.#queue.get(id)) this.#serve(name);
    this.#arriving = undefined;
    if (!this.#queue.get(id)) return;
    if (this.#queue.size > this.#options.queue)
      this.#refuse(waiting, full(this.#options.queue, this.#retryAfterMs(waiting)));
  }

  /** Nobody waits, so there is nobody to compare it with: what the queue would decide, without its cost. */
  #grantAtOnce(waiting: Waiting): boolean {
    const now = this.#now();
    if (this.#queue.size > 0 || waiting.deadlineAt <= now) return false;
    const resource = this.#resources.get(waiting.resources[0] as string);
    if (!resource || resource.busy >= resource.size) return false;
    const keeps = resource.pass ? 'nothing' : this.#caches.keeps(resource);
    const isKept = keeps === 'only' && !this.#caches.fits(waiting, resource, now);
    if (isKept || !this.preemption.hasSeat(waiting, resource)) return false;
    resource.pass?.();
    // Of locks there may be none for it: such calls count against no rate limit that would have to be given back.
    if (!this.#tolls.tryTake(waiting, resource.name) || !resource.tryAcquire(waiting.call)) return false;
    this.#tell({ kind: 'arrived', at: now, call: plainCall(waiting) });
    // Asked all the same: that a policy fails should be known before the first call has to wait.
    this.#policy.keyOf(waiting);
    this.#settleFault();
    this.#grant(waiting, resource, []);
    return true;
  }

  /** Takes a waiting call out of the queue. A running one is released instead. */
  cancel(call: string): void {
    const place = this.#queue.remove(call);
    if (!place) return;
    if (!this.#running.has(call))
      this.#tell({ kind: 'ended', at: this.#now(), call: plainCall(place.waiting) });
    // Who left may have been in the way of others, though it held nothing.
    for (const name of place.waiting.resources) if (this.#resources.get(name)?.pass) this.#serve(name);
  }

  /** What a running call used, before it is released; what changes in the store if its turn is over. */
  used(call: string, used: Used): ReturnType<History['learn']> | undefined {
    const running = this.#running.get(call);
    if (!running) return undefined;
    running.used = used;
    const service = this.#attained.event({ kind: 'ended', at: this.#now(), call: running.told, used });
    return service === undefined ? undefined : this.#history.learn(running.waiting.image, service);
  }

  /** Gives the resource back and serves the next. Does nothing for a call that has given it back before. */
  release(call: string, resource: string): void {
    const running = this.#running.get(call);
    if (!running) return;
    assert(running.resource.name === resource, `call ${call} has ${running.resource.name}, not ${resource}`);
    this.#running.delete(call);
    this.preemption.release(running);
    this.#tolls.giveUp(running.waiting, resource);
    const now = this.#now();
    const { told, used } = running;
    if (!used) this.#attained.event({ kind: 'ended', at: now, call: told });
    if (!running.resource.pass) this.#meanServiceMs += 0.1 * (now - running.startedAt - this.#meanServiceMs);
    this.#tell({ kind: 'ended', at: now, call: told, ...(used ? { used } : {}) });
    const gone = running.resource.pass ? [] : this.#caches.ended(told, running.resource, now, used);
    for (const other of gone) this.#tell({ kind: 'evicted', at: now, call: other, resource });
    if (this.#history.publish()) this.#retune();
    this.#serve(resource);
  }

  /** Tells the policy how much service a running call has had so far, in tokens. */
  served(call: string, tokens: number): void {
    const running = this.#running.get(call);
    if (!running) return;
    running.tokens = tokens;
    this.#tell({ kind: 'served', at: this.#now(), call: running.told, tokens });
    this.preemption.consider(running.resource);
  }

  /** Other bounds from now on; calls that wait beyond a smaller queue keep their places. */
  tune({ maxWaitMs, queue }: Pick<SchedulerOptions, 'maxWaitMs' | 'queue'>, tuning = this.#tuning): void {
    this.#options = { ...this.#options, maxWaitMs, queue };
    this.#tuning = tuning;
    this.#retune();
  }

  /**
   * Puts another policy in charge; it learns of what happened lately and of every call that runs or waits. The
   * one before stands in if it fails.
   */
  setPolicy(policy: Policy<unknown>): void {
    const { policy: before, previous } = this.#policy;
    this.#policy = this.#newOrder(policy, before.name === policy.name ? previous : before);
  }

  /** The resources from now on. One that stays keeps what is taken of it; calls that none is left for are refused. */
  setResources(resources: readonly Resource[]): void {
    const old = new Map(this.#resources);
    const used = new Map([...this.#running.values()].map(({ resource }) => [resource.name, resource]));
    this.#resources.clear();
    for (const resource of resources) {
      const kept = old.get(resource.name) ?? used.get(resource.name);
      kept?.resize(resource.size, resource.terms);
      this.#resources.set(resource.name, kept ?? resource);
    }
    this.#retune();
    for (const { waiting } of [...this.#queue.values()]) {
      const refused = this.#unserved(waiting);
      if (refused) this.#refuse(waiting, refused);
    }
    for (const name of [...this.#resources.keys()]) this.#serve(name);
  }

  /** Where a waiting call stands among those that want one of the same resources; undefined if it does not wait. */
  explain(call: string): Explanation | undefined {
    const explanation = this.#explaining.explain(call);
    this.#settleFault();
    return explanation;
  }

  /** The first of those that wait, in the order in force over all resources, with the reasons of each. */
  line(count: number): ReturnType<Explaining['line']> {
    const line = this.#explaining.line(count);
    this.#settleFault();
    return line;
  }

  /** A rate limit may have opened: whoever waits for it at one of these is tried. */
  look(limit: string, resources: Iterable<string>): void {
    if (this.#queue.size === 0) return;
    for (const name of resources) if (this.#queue.hasLine(name, limit)) this.#serve(name);
  }

  /** Time alone has made room: whoever waits is tried, the first first. */
  stir(resource: string): void {
    this.#serve(resource);
  }

  /** What serving costs there was learned better. */
  reprice(resource: string, terms: Terms): void {
    const found = this.#resources.get(resource);
    if (!found || !differ(found.terms, terms)) return;
    found.resize(found.size, { ...found.terms, ...terms });
    this.#retune();
  }

  hasRoom(resource: string): boolean {
    const found = this.#resources.get(resource);
    return found !== undefined && found.busy < found.size;
  }

  /** How many calls wait (for this resource). */
  waiting(resource?: string): number {
    return resource === undefined ? this.#queue.size : this.#queue.count(resource);
  }

  /** What is known of a backend's cache of prefixes; undefined where that is nobody's matter here. */
  admitted(resource: string): Admitted | undefined {
    const found = this.#resources.get(resource);
    return found && !found.pass ? this.#caches.view(found) : undefined;
  }

  busy(resource: string): number {
    return this.#resources.get(resource)?.busy ?? 0;
  }

  /** Grants the resource to the first who can take it, again and again until it is full or nobody is left. */
  #serve(name: string): void {
    if (this.#queue.size === 0) return;
    const resource = this.#resources.get(name);
    if (resource?.pass) return this.#servePart(resource);
    const passed = new Set<string>();
    // Where the first of a line must wait for its rate limit, so must all behind it.
    const closed = new Set<string>();
    // So must all that one account pays for where the first of them waits for what is said of it, whatever their line.
    const held = new Set<string>();
    while (resource && resource.busy < resource.size) {
      const now = this.#now();
      const waiting = this.#next(resource, passed, closed);
      this.#settleFault();
      if (!waiting) return;
      if (waiting.deadlineAt <= now && !this.#running.has(waiting.call))
        this.#refuse(waiting, late(waiting, this.#retryAfterMs(waiting)));
      else if (
        !this.#running.has(waiting.call) &&
        !this.#tolls.tryTake(waiting, name, this.#isOverdue(waiting), held)
      )
        closed.add(lineOf(waiting, name));
      else if (resource.tryAcquire(waiting.call))
        this.#grant(
          waiting,
          resource,
          waiting.call === this.#arriving ? [] : this.#explaining.whyNow(waiting),
        );
      else passed.add(waiting.call);
    }
    if (resource) this.preemption.consider(resource);
  }

  /**
   * Of a resource that some of those who wait can have and others cannot: one look down the order tries each once. No
   * rate limit counts there.
   */
  #servePart(resource: Resource): void {
    const tried = new Set<string>();
    resource.pass?.();
    while (resource.busy < resource.size) {
      const now = this.#now();
      const isLate = ({ deadlineAt }: Waiting) => deadlineAt <= now;
      const takes = (one: Waiting) => tried.add(one.call) && resource.tryAcquire(one.call);
      const waiting = this.#next(resource, tried, NONE, (one) => isLate(one) || takes(one));
      this.#settleFault();
      if (!waiting) return;
      if (isLate(waiting)) this.#refuse(waiting, late(waiting, this.#retryAfterMs(waiting)));
      else
        this.#grant(
          waiting,
          resource,
          waiting.call === this.#arriving ? [] : this.#explaining.whyNow(waiting),
        );
    }
  }

  /** Who is granted the resource next, when a share of it is free. */
  #next(
    resource: Resource,
    passed = NONE,
    closed = NONE,
    takes: (waiting: Waiting) => boolean = () => true,
  ): Waiting | undefined {
    const now = this.#now();
    const first = (accepts: (waiting: Waiting, isOverdue: boolean) => boolean, looks?: number) =>
      this.#queue.first(
        resource.name,
        (waiting, isOverdue) =>
          !passed.has(waiting.call) &&
          this.preemption.hasSeat(waiting, resource) &&
          accepts(waiting, isOverdue),
        this.#policy,
        now - this.#options.maxWaitMs,
        looks,
        closed,
      )?.waiting;
    // The last slots of a backend whose cache is known are for calls that do not push out what others need.
    const keeps = resource.pass ? 'nothing' : this.#caches.keeps(resource);
    if (keeps === 'nothing') return first(takes);
    const fits = (waiting: Waiting, isOverdue: boolean) =>
      isOverdue || this.#caches.fits(waiting, resource, now);
    return first(fits, LIMITS.looks.value) ?? (keeps === 'first' ? first(() => true) : undefined);
  }

  #grant(waiting: Waiting, resource: Resource, reasons: string[]): void {
    const now = this.#now();
    const { name } = resource;
    const { policy } = this;
    this.#queue.remove(waiting.call);
    this.#queue.granted(name);
    this.#estimates.granted(waiting.call, now);
    const stopped = this.#running.get(waiting.call);
    if (stopped) return this.preemption.goOn(stopped);
    const room = this.preemption.roomFor(waiting.call);
    if (room !== undefined) reasons.unshift(`call ${room} was stopped for it`);
    const running = newRunning(waiting, resource, now);
    this.#running.set(waiting.call, running);
    const { told } = running;
    const started: PolicyEvent = { kind: 'started', at: now, call: told, resource: name };
    this.#attained.event(started);
    this.#tell(started);
    const gone = resource.pass ? [] : this.#caches.started(told, resource, now);
    for (const call of gone) this.#tell({ kind: 'evicted', at: now, call, resource: name });
    waiting.onGrant(name, { policy, reasons });
  }

  #refuse(waiting: Waiting, reason: Refusal): void {
    this.cancel(waiting.call);
    const stopped = this.#running.get(waiting.call);
    // It has begun: whatever became of its resource, it ends in its own time.
    if (stopped) return this.preemption.goOn(stopped, true);
    waiting.onRefuse(reason);
  }

  #unserved(waiting: Waiting): Refusal | undefined {
    return waiting.resources.some((name) => this.#resources.has(name)) ? undefined : unserved(waiting);
  }

  /** When the queue ahead should be through: its length times the mean service time, over the slots. */
  #retryAfterMs(waiting: Waiting): number {
    const slots = waiting.resources.reduce((sum, name) => sum + (this.#resources.get(name)?.size ?? 0), 0);
    const wait = Math.ceil((this.#queue.size * this.#meanServiceMs) / Math.max(1, slots));
    return Math.min(LIMITS.retryAfterMostMs.value, Math.max(LIMITS.retryAfterLeastMs.value, wait));
  }

  #isOverdue(waiting: Waiting): boolean {
    return this.#queue.isOverdue(waiting.call, this.#now() - this.#options.maxWaitMs);
  }

  #tell(event: PolicyEvent): void {
    this.#policy.tell(event);
    if (event.kind !== 'tuned') this.#log.push(event);
    if (this.#log.length > LIMITS.log.value) this.#log = this.#log.slice(-LIMITS.log.value / 2);
    this.#settleFault();
    if (event.kind === 'tuned') this.#queue.doubtAll(this.#policy.policy);
    else if (!this.#policy.isFixed) this.#queue.doubt(event.call);
    if (event.kind === 'evicted') this.#attained.event(event);
  }

  #retune(): void {
    const config = this.#config();
    this.#caches.retune(this.#resources);
    this.#attained.tune(config);
    this.#tell({ kind: 'tuned', at: this.#now(), config });
  }

  /** After a policy was asked: if it failed, nothing it said before counts. */
  #settleFault(): void {
    const { fault } = this.#policy;
    if (fault === undefined || fault === this.#toldFault) return;
    this.#toldFault = fault;
    this.#queue.doubtAll(this.#policy.policy);
    this.#options.onFault?.(fault);
  }

  #newOrder(policy: Policy<unknown>, previous: Policy<unknown>): Order {
    this.#toldFault = undefined;
    const order = new Order(policy, () => this.#beginning(), previous);
    this.#queue.doubtAll(order.policy);
    this.#policy = order;
    this.#settleFault();
    return order;
  }

  #beginning(): Beginning {
    return { config: this.#config(), events: eventsSoFar(this.#log, this.#running, this.#queue) };
  }

  #config(): PolicyConfig {
    return {
      resources: [...this.#resources.values()].map(({ name, size, terms }) => ({ name, size, ...terms })),
      tuning: this.#tuning,
      history: this.#history.table,
    };
  }

  #now(): number {
    return this.#options.clock.now();
  }
}
