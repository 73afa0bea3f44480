/**
 * The calls that wait: for each resource a heap in the policy's order and one by arrival, for those that have waited too
 * long. Invariant: `first` is what comparing all of them would give, as long as keys change only for the turn or the
 * agent that the last event named. A place that left stays in the heaps until it comes up or too many did.
 */
import type { Refusal } from '../base/errors.ts';
import { Heap } from './heap.ts';
import type { Order } from './order.ts';
import { compareKeys, type PolicyCall } from './policy.ts';

export interface Waiting extends PolicyCall {
  /** Serving it after this wall time helps nobody. */
  readonly deadlineAt: number;
  /** Any one of these, the preferred first. */
  readonly resources: readonly string[];
  onGrant(resource: string): void;
  onRefuse(refusal: Refusal): void;
}

export interface Place {
  readonly waiting: Waiting;
  readonly order: number;
}

/** A place as the heaps see it: an entry whose key is no longer the place's is passed over. */
interface Seat extends Place {
  key: readonly number[] | undefined;
  left: boolean;
}
interface Ranked {
  readonly seat: Seat;
  readonly key: readonly number[];
}
interface Line {
  readonly byKey: Heap<Ranked>;
  readonly byArrival: Heap<Seat>;
  waiting: number;
}

/** Entries of places that left, beyond as many as wait, before a heap is cleaned. */
const SLACK = 64;

const newLine = (): Line => ({
  byKey: new Heap((a, b) => (compareKeys(a.key, b.key) || a.seat.order - b.seat.order) < 0),
  byArrival: new Heap((a, b) => (a.waiting.arrivedAt - b.waiting.arrivedAt || a.order - b.order) < 0),
  waiting: 0,
});

export class Queue {
  readonly #seats = new Map<string, Seat>();
  readonly #lines = new Map<string, Line>();
  readonly #groups = new Map<string, Set<Seat>>();
  /** Places whose key must be asked for (again) before the next comparison. */
  readonly #unsure = new Set<Seat>();

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
    return this.#lines.get(resource)?.waiting ?? 0;
  }

  /** A call that is there already is replaced. */
  add(waiting: Waiting, order: number): void {
    this.remove(waiting.call);
    const seat: Seat = { waiting, order, key: undefined, left: false };
    this.#seats.set(waiting.call, seat);
    this.#unsure.add(seat);
    for (const name of groupsOf(waiting)) {
      const group = this.#groups.get(name) ?? new Set();
      this.#groups.set(name, group.add(seat));
    }
    for (const name of new Set(waiting.resources)) {
      const line = this.#lines.get(name) ?? newLine();
      this.#lines.set(name, line);
      line.waiting++;
      line.byArrival.push(seat);
    }
  }

  remove(call: string): Place | undefined {
    const seat = this.#seats.get(call);
    if (!seat) return undefined;
    this.#seats.delete(call);
    this.#unsure.delete(seat);
    seat.left = true;
    for (const name of groupsOf(seat.waiting)) {
      const group = this.#groups.get(name);
      group?.delete(seat);
      if (group?.size === 0) this.#groups.delete(name);
    }
    for (const name of new Set(seat.waiting.resources)) {
      const line = this.#lines.get(name) as Line;
      line.waiting--;
      if (line.waiting === 0) this.#lines.delete(name);
      else clean(line);
    }
    return seat;
  }

  /** An event named this call: the keys of its turn and its agent may have changed. */
  doubt(call: PolicyCall): void {
    for (const name of groupsOf(call))
      for (const seat of this.#groups.get(name) ?? []) this.#unsure.add(seat);
  }

  /** Every key may have changed. */
  doubtAll(): void {
    for (const seat of this.#seats.values()) this.#unsure.add(seat);
  }

  /** The first of those that want the resource and are not in `passed`: who arrived before `overdueAt`, then the policy's first. */
  first(resource: string, passed: ReadonlySet<string>, policy: Order, overdueAt: number): Place | undefined {
    this.#ask(policy);
    const line = this.#lines.get(resource);
    if (!line) return undefined;
    const overdue = firstOf(
      line.byArrival,
      passed,
      (seat) => seat,
      (seat) => !seat.left,
    );
    if (overdue && overdue.waiting.arrivedAt <= overdueAt) return overdue;
    const isCurrent = ({ seat, key }: Ranked) => !seat.left && seat.key === key;
    return firstOf(line.byKey, passed, ({ seat }) => seat, isCurrent);
  }

  #ask(policy: Order): void {
    for (const seat of this.#unsure) {
      this.#unsure.delete(seat);
      const fault = policy.fault;
      const key = policy.keyOf(seat.waiting);
      // A policy that failed was replaced: nothing it said before counts.
      if (policy.fault !== fault) this.doubtAll();
      if (seat.key !== undefined && compareKeys(seat.key, key) === 0) continue;
      seat.key = key;
      for (const name of new Set(seat.waiting.resources)) this.#lines.get(name)?.byKey.push({ seat, key });
    }
  }
}

/** The first current item that is not passed; passed ones on the way stay where they are. */
function firstOf<T>(
  heap: Heap<T>,
  passed: ReadonlySet<string>,
  seatOf: (item: T) => Seat,
  isCurrent: (item: T) => boolean,
): Seat | undefined {
  const aside: T[] = [];
  let found: Seat | undefined;
  for (let item = heap.peek(); item !== undefined && !found; item = heap.peek()) {
    if (!isCurrent(item)) heap.pop();
    else if (!passed.has(seatOf(item).waiting.call)) found = seatOf(item);
    else {
      aside.push(item);
      heap.pop();
    }
  }
  for (const item of aside) heap.push(item);
  return found;
}

function clean({ byKey, byArrival, waiting }: Line): void {
  if (byKey.size > 2 * waiting + SLACK) byKey.keep(({ seat, key }) => !seat.left && seat.key === key);
  if (byArrival.size > 2 * waiting + SLACK) byArrival.keep((seat) => !seat.left);
}

const groupsOf = ({ agent, turn }: PolicyCall): string[] =>
  turn === undefined ? [`agent ${agent}`] : [`agent ${agent}`, `turn ${turn}`];
