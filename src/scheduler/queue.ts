/**
 * The calls that wait: for each resource a heap in the policy's order, and two for those that have waited too long and
 * were passed too often; a line of its own for each rate limit that calls of a resource count against, so that one that is
 * used up holds nobody else back and costs nothing to pass over. Calls that share the first parts of their keys (of one
 * owner, say) stand in a group with a heap of its own, so that the share of an owner with many calls moves one entry.
 * Invariant: `first` is what comparing all of them would give, as long as keys change only as a policy may change them.
 * What left stays in the heaps until it comes up or too much did.
 */
import type { Refusal } from '../base/errors.ts';
import { turnOf } from './attained.ts';
import { Heap } from './heap.ts';
import type { Toll } from './meter.ts';
import type { Order } from './order.ts';
import { compareKeys, type Policy, type PolicyCall } from './policy.ts';

/** How a running call is stopped and goes on; it answers by `park` or `resisted` (preemption.ts). */
export interface Preemptible {
  suspend(why: string): void;
  proceed(): void;
}

export interface Waiting extends PolicyCall {
  /** Any one of these, the preferred first. */
  readonly resources: readonly string[];
  /** The rate limit that it counts against at a resource, where there is one. */
  readonly tolls?: ReadonlyMap<string, Toll>;
  /** How it is stopped while it runs, where it can be. */
  readonly preemptible?: Preemptible;
  onGrant(resource: string, why: Grant): void;
  onRefuse(refusal: Refusal): void;
}

/** Why a call was granted when it was. */
export interface Grant {
  readonly policy: string;
  /** Empty if the call did not have to wait. */
  readonly reasons: readonly string[];
}

export interface Place {
  readonly waiting: Waiting;
  readonly order: number;
}

/** Those who share the first parts of their keys, over all lines. */
interface Group {
  readonly name: string;
  readonly sharer: string;
  readonly seats: Set<Seat>;
  /** The shared parts; undefined until they were asked for. */
  key: readonly number[] | undefined;
  /** Counts up with each change of a key: among equal groups the one that got there first is first. */
  since: number;
}
/** A place as the heaps see it: an entry whose key is no longer the place's is passed over. */
interface Seat extends Place {
  readonly group: Group;
  key: readonly number[] | undefined;
  left: boolean;
  /** For each resource, as many as had been granted there when so many had passed it that it may not be passed again. */
  readonly dues: ReadonlyMap<string, number>;
}
interface Ranked<T> {
  readonly of: T;
  readonly key: readonly number[];
  /** Orders equal keys. */
  readonly tie: number;
}
/** A group's seats in one line. */
interface Bench {
  readonly group: Group;
  readonly seats: Heap<Ranked<Seat>>;
  /** The group's key as the line's heap has it. */
  key: readonly number[] | undefined;
  waiting: number;
}
interface Line {
  readonly benches: Map<Group, Bench>;
  readonly byKey: Heap<Ranked<Bench>>;
  /** Those that have not waited the maximum, and those that have: the first whose turn it is by how often it was passed. */
  readonly byArrival: Heap<Seat>;
  readonly byDue: Heap<Seat>;
  waiting: number;
}

/** Entries of places that left, beyond as many as wait, before a heap is cleaned. */
const SLACK = 64;

export class Queue {
  readonly #seats = new Map<string, Seat>();
  readonly #lines = new Map<string, Line>();
  /** The names of the lines of each resource. */
  readonly #linesOf = new Map<string, Set<string>>();
  readonly #turns = new Map<string, Set<Seat>>();
  readonly #groups = new Map<string, Group>();
  /** The groups of each owner or agent, by nice value. */
  readonly #sharers = new Map<string, Set<Group>>();
  /** Places whose key must be asked for (again) before the next comparison, and groups whose shared parts must. */
  readonly #unsure = new Set<Seat>();
  readonly #unsureGroups = new Set<Group>();
  /** How many were granted each resource. */
  readonly #granted = new Map<string, number>();
  readonly #passes: (resource: string) => number;
  #shared: Policy<unknown>['shared'];
  #changes = 0;

  /** `passes`: how many may pass a call that waited too long, for each that waited for the resource when it came. */
  constructor(passes: (resource: string) => number) {
    this.#passes = passes;
  }

  get size(): number {
    return this.#seats.size;
  }

  get(call: string): Place | undefined {
    return this.#seats.get(call);
  }

  values(): Iterable<Place> {
    return this.#seats.values();
  }

  /** How many wait for a resource. */
  count(resource: string): number {
    let count = 0;
    for (const name of this.#linesOf.get(resource) ?? []) count += this.#lines.get(name)?.waiting ?? 0;
    return count;
  }

  /** Does anybody wait there who counts against this limit? */
  hasLine(resource: string, limit: string): boolean {
    return this.#lines.has(nameOf(resource, limit));
  }

  /** A call that is there already is replaced. */
  add(waiting: Waiting, order: number): void {
    this.#enter(waiting, order, this.remove(waiting.call)?.dues);
  }

  /** One of those that wait, or waited, was granted the resource. */
  granted(resource: string): void {
    this.#granted.set(resource, this.#grantedOf(resource) + 1);
  }

  remove(call: string): Seat | undefined {
    const seat = this.#seats.get(call);
    if (!seat) return undefined;
    this.#seats.delete(call);
    this.#unsure.delete(seat);
    seat.left = true;
    takeFrom(this.#turns, turnOf(seat.waiting), seat);
    const { group } = seat;
    group.seats.delete(seat);
    if (group.seats.size === 0) {
      this.#groups.delete(group.name);
      this.#unsureGroups.delete(group);
      takeFrom(this.#sharers, group.sharer, group);
    }
    for (const name of new Set(seat.waiting.resources)) this.#leave(name, seat);
    return seat;
  }

  /** An event named this call: the keys of its turn and what its owner (or agent) shares may have changed. */
  doubt(call: PolicyCall): void {
    if (this.#seats.size === 0) return;
    for (const seat of this.#turns.get(turnOf(call)) ?? []) this.#unsure.add(seat);
    if (!this.#shared) return;
    for (const group of this.#sharers.get(sharerOf(call, this.#shared)) ?? []) this.#unsureGroups.add(group);
  }

  /** Every key may have changed, and what is shared with whom. */
  doubtAll({ shared }: Policy<unknown>): void {
    const seats = [...this.#seats.values()];
    for (const seat of seats) this.remove(seat.waiting.call);
    this.#shared = shared;
    for (const { waiting, order, dues } of seats) this.#enter(waiting, order, dues);
  }

  /**
   * The first of those that want the resource and are accepted: who arrived before `overdueAt` and was passed as often as
   * may be, then the policy's first. At most `looks` of the latter are asked whether they are. Whoever stands in a line that is `closed` is passed over.
   */
  first(
    resource: string,
    accepts: (waiting: Waiting, isOverdue: boolean) => boolean,
    policy: Order,
    overdueAt: number,
    looks = Number.POSITIVE_INFINITY,
    closed: ReadonlySet<string> = NONE,
  ): Place | undefined {
    this.#ask(policy);
    const granted = this.#grantedOf(resource);
    let overdue: Seat | undefined;
    let first: Seat | undefined;
    for (const name of this.#linesOf.get(resource) ?? []) {
      if (closed.has(name)) continue;
      const line = this.#lines.get(name) as Line;
      moveLate(line, overdueAt);
      const late = firstOverdue(line, accepts, overdueAt, (seat) => dueOf(seat, resource) <= granted);
      if (late && (!overdue || byDue(resource)(late, overdue) < 0)) overdue = late;
      if (overdue) continue;
      const next = firstByKey(line, accepts, looks);
      if (next && (!first || (compareGroups(next.group, first.group) || compareSeats(next, first)) < 0))
        first = next;
    }
    return overdue ?? first;
  }

  /** Did it arrive before `overdueAt`, and may it not be passed again at one of its resources? */
  isOverdue(call: string, overdueAt: number): boolean {
    const seat = this.#seats.get(call);
    if (!seat || seat.waiting.arrivedAt > overdueAt) return false;
    return seat.waiting.resources.some((name) => dueOf(seat, name) <= this.#grantedOf(name));
  }

  /** Which of two that are overdue is first (negative: `a`). */
  compareOverdue(a: string, b: string): number {
    const [one, other] = [this.#seats.get(a), this.#seats.get(b)];
    if (!one || !other) return 0;
    const shared = one.waiting.resources.find((name) => other.dues.has(name));
    return shared === undefined ? byAge(one, other) : byDue(shared)(one, other);
  }

  /** Which of two that wait the policy puts first (negative: `a`). */
  compare(a: string, b: string, policy: Order): number {
    this.#ask(policy);
    const [one, other] = [this.#seats.get(a), this.#seats.get(b)];
    if (!one || !other) return 0;
    return compareGroups(one.group, other.group) || compareSeats(one, other);
  }

  #grantedOf(resource: string): number {
    return this.#granted.get(resource) ?? 0;
  }

  /** `known`: the dues of a call that waited before, which it keeps. */
  #enter(waiting: Waiting, order: number, known?: ReadonlyMap<string, number>): void {
    const dues = new Map(
      waiting.resources.map((name) => [
        name,
        known?.get(name) ?? this.#grantedOf(name) + this.#passes(name) * this.count(name),
      ]),
    );
    const seat: Seat = { waiting, order, group: this.#groupOf(waiting), key: undefined, left: false, dues };
    seat.group.seats.add(seat);
    this.#seats.set(waiting.call, seat);
    this.#unsure.add(seat);
    putInto(this.#turns, turnOf(waiting), seat);
    for (const resource of new Set(waiting.resources)) {
      const name = lineOf(waiting, resource);
      const line = this.#lines.get(name) ?? newLine(resource);
      this.#lines.set(name, line);
      putInto(this.#linesOf, resource, name);
      line.waiting++;
      line.byArrival.push(seat);
      const bench = line.benches.get(seat.group) ?? newBench(seat.group);
      line.benches.set(seat.group, bench);
      bench.waiting++;
    }
  }

  #groupOf(waiting: Waiting): Group {
    const sharer = this.#shared ? sharerOf(waiting, this.#shared) : '';
    const name = this.#shared ? `${waiting.nice} ${sharer}` : '';
    const known = this.#groups.get(name);
    if (known) return known;
    const group: Group = { name, sharer, seats: new Set(), key: undefined, since: 0 };
    this.#groups.set(name, group);
    putInto(this.#sharers, sharer, group);
    return group;
  }

  #leave(resource: string, seat: Seat): void {
    const name = lineOf(seat.waiting, resource);
    const line = this.#lines.get(name) as Line;
    const bench = line.benches.get(seat.group) as Bench;
    line.waiting--;
    bench.waiting--;
    if (bench.waiting === 0) line.benches.delete(seat.group);
    if (line.waiting > 0) return clean(line, bench);
    this.#lines.delete(name);
    takeFrom(this.#linesOf, resource, name);
  }

  #ask(policy: Order): void {
    for (const group of this.#unsureGroups) for (const seat of take(group.seats, 1)) this.#unsure.add(seat);
    this.#unsureGroups.clear();
    for (const seat of this.#unsure) {
      this.#unsure.delete(seat);
      const { fault } = policy;
      const key = policy.keyOf(seat.waiting);
      // A policy that failed was replaced: nothing it said before counts.
      if (policy.fault === fault) this.#rank(seat, key);
      else this.doubtAll(policy.policy);
    }
  }

  #rank(seat: Seat, whole: readonly number[]): void {
    const { group } = seat;
    const parts = this.#shared?.parts ?? 0;
    const shared = whole.slice(0, parts);
    if (group.key === undefined || compareKeys(group.key, shared) !== 0) {
      group.key = shared;
      group.since = this.#changes++;
      for (const line of this.#lines.values()) placeBench(line, line.benches.get(group));
    }
    const key = whole.slice(parts);
    const isSame = seat.key !== undefined && compareKeys(seat.key, key) === 0;
    if (!isSame) seat.key = key;
    for (const resource of new Set(seat.waiting.resources)) {
      const line = this.#lines.get(lineOf(seat.waiting, resource)) as Line;
      const bench = line.benches.get(group) as Bench;
      if (!isSame) bench.seats.push({ of: seat, key, tie: seat.order });
      placeBench(line, bench);
    }
  }
}

const isBefore = (a: Ranked<unknown>, b: Ranked<unknown>): boolean =>
  (compareKeys(a.key, b.key) || a.tie - b.tie) < 0;
const newBench = (group: Group): Bench => ({
  group,
  seats: new Heap<Ranked<Seat>>(isBefore),
  key: undefined,
  waiting: 0,
});
const dueOf = (seat: Seat, resource: string): number => seat.dues.get(resource) ?? 0;
const byAge = (a: Seat, b: Seat): number => a.waiting.arrivedAt - b.waiting.arrivedAt || a.order - b.order;
const byDue =
  (resource: string) =>
  (a: Seat, b: Seat): number =>
    dueOf(a, resource) - dueOf(b, resource) || byAge(a, b);
const newLine = (resource: string): Line => ({
  benches: new Map(),
  byKey: new Heap<Ranked<Bench>>(isBefore),
  byArrival: new Heap((a, b) => byAge(a, b) < 0),
  byDue: new Heap((a, b) => byDue(resource)(a, b) < 0),
  waiting: 0,
});
const NONE: ReadonlySet<string> = new Set();

/** The line that a call stands in for a resource. */
export function lineOf({ tolls }: Waiting, resource: string): string {
  const toll = tolls?.get(resource);
  return toll ? nameOf(resource, toll.limit) : resource;
}

const nameOf = (resource: string, limit: string): string => `${resource}\0${limit}`;

type Accepts = (waiting: Waiting, isOverdue: boolean) => boolean;

/** Each is moved once: a look at those that have waited the maximum is a look at few. */
function moveLate({ byArrival, byDue: late }: Line, overdueAt: number): void {
  for (let seat = byArrival.peek(); seat; seat = byArrival.peek()) {
    if (!seat.left && seat.waiting.arrivedAt > overdueAt) return;
    byArrival.pop();
    if (!seat.left) late.push(seat);
  }
}

const firstOverdue = (
  line: Line,
  accepts: Accepts,
  overdueAt: number,
  isDue: (seat: Seat) => boolean,
): Seat | undefined =>
  firstOf(line.byDue, (seat) => {
    if (seat.left) return 'gone';
    if (!isDue(seat)) return 'end';
    // The maximum may have been raised since.
    return seat.waiting.arrivedAt <= overdueAt && accepts(seat.waiting, true) ? seat : 'pass';
  });

function firstByKey(line: Line, accepts: Accepts, looks: number): Seat | undefined {
  let left = looks;
  return firstOf(line.byKey, ({ of: bench, key }) => {
    if (bench.waiting === 0 || bench.key !== key) return 'gone';
    const found = firstOf(bench.seats, (ranked) => {
      if (!isCurrent(ranked)) return 'gone';
      if (left-- <= 0) return 'end';
      return accepts(ranked.of.waiting, false) ? ranked.of : 'pass';
    });
    return found ?? (left <= 0 ? 'end' : 'pass');
  });
}

/** Puts a bench where its group's key wants it. */
function placeBench(line: Line, bench: Bench | undefined): void {
  if (!bench || bench.key === bench.group.key) return;
  bench.key = bench.group.key;
  if (bench.key) line.byKey.push({ of: bench, key: bench.key, tie: bench.group.since });
}

const compareGroups = (a: Group, b: Group): number =>
  compareKeys(a.key ?? [], b.key ?? []) || a.since - b.since;
const compareSeats = (a: Seat, b: Seat): number => compareKeys(a.key ?? [], b.key ?? []) || a.order - b.order;
const isCurrent = ({ of: seat, key }: Ranked<Seat>): boolean => !seat.left && seat.key === key;
const sharerOf = ({ owner, agent }: PolicyCall, { by }: NonNullable<Policy<unknown>['shared']>): string =>
  by === 'owner' ? owner : String(agent);

/** Goes down the heap until an item is found or `end`; what was passed on the way stays. */
function firstOf<T, F>(heap: Heap<T>, look: (item: T) => F | 'gone' | 'pass' | 'end'): F | undefined {
  const aside: T[] = [];
  let found: F | undefined;
  for (let item = heap.peek(); item !== undefined; item = heap.peek()) {
    const seen = look(item);
    if (seen === 'gone') heap.pop();
    else if (seen === 'pass') {
      aside.push(item);
      heap.pop();
    } else {
      if (seen !== 'end') found = seen;
      break;
    }
  }
  for (const item of aside) heap.push(item);
  return found;
}

function clean(line: Line, bench: Bench): void {
  if (bench.seats.size > 2 * bench.waiting + SLACK) bench.seats.keep(isCurrent);
  for (const heap of [line.byArrival, line.byDue])
    if (heap.size > 2 * line.waiting + SLACK) heap.keep((seat) => !seat.left);
  if (line.byKey.size > 2 * line.benches.size + SLACK)
    line.byKey.keep(({ of, key }) => of.waiting > 0 && of.key === key);
}

function putInto<T>(sets: Map<string, Set<T>>, name: string, item: T): void {
  sets.set(name, (sets.get(name) ?? new Set<T>()).add(item));
}

function takeFrom<T>(sets: Map<string, Set<T>>, name: string, item: T): void {
  const set = sets.get(name);
  set?.delete(item);
  if (set?.size === 0) sets.delete(name);
}

function take<T>(items: Iterable<T>, count: number): T[] {
  const taken: T[] = [];
  for (const item of items) {
    if (taken.length === count) break;
    taken.push(item);
  }
  return taken;
}
