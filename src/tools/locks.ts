/**
 * Keyed reader/writer locks as one resource of the scheduler: all keys of a call at once, so single calls cannot
 * deadlock. Invariant: of two calls in conflict at most one is held, and none is granted past one in conflict that
 * stands before it in the scheduler's order - so nobody starves, and what touches other keys is not held up.
 */
import { assert } from '../base/assert.ts';
import { ENGINE } from '../scheduler/cost.ts';
import type { Resource } from '../scheduler/resource.ts';
import { conflict, type Effect } from './effects.ts';
import { LIMITS } from './limits.ts';
import type { Rated, Rates } from './rates.ts';

/** What a call wants to hold. */
export interface Claim {
  readonly call: string;
  readonly agent: number;
  readonly effects: readonly Effect[];
  /** Of things that bear so many calls at once it takes one each. */
  readonly places?: readonly Place[];
  /** The agent's own client orders its calls among each other: they are never in each other's way. */
  readonly ordered: boolean;
}

/** A server or an agent, of which so many calls may run at once. */
export interface Place extends Rated {
  readonly size: number;
}

/** Another call's effect that is in the way of one. */
export interface Obstacle {
  readonly claim: Claim;
  readonly effect: Effect;
  readonly held: boolean;
}

export class Locks implements Resource {
  readonly name = 'locks';
  /** Holding them costs no tokens. */
  readonly terms = ENGINE;
  readonly #rates: Rates | undefined;
  readonly #claims = new Map<string, Claim>();
  readonly #held = new Map<string, Claim>();
  /** Calls that are held, by place. */
  readonly #taken = new Map<string, number>();
  /** Who was tried in this pass and could not have its keys: it stands before whoever is tried after it. */
  readonly #before = new Map<string, Claim>();

  /** `rates`: where places bear so many calls a minute. */
  constructor(rates?: Rates) {
    this.#rates = rates;
  }

  /** What a call will ask for, told before it is submitted. */
  declare(claim: Claim): void {
    this.#claims.set(claim.call, claim);
  }

  /** The call will not ask (again). */
  forget(call: string): void {
    assert(!this.#held.has(call), `call ${call} is forgotten while it holds locks`);
    this.#claims.delete(call);
    this.#before.delete(call);
  }

  /** The scheduler goes through all that wait anew, the first first. */
  pass(): void {
    this.#before.clear();
  }

  tryAcquire(call: string): boolean {
    const claim = this.#claims.get(call);
    assert(claim && !this.#held.has(call), `call ${call} declares once what it locks, and locks once`);
    if (this.#inTheWay(claim) || this.lacking(call) !== undefined) {
      this.#before.set(call, claim);
      return false;
    }
    this.#before.delete(call);
    this.#held.set(call, claim);
    this.#take(claim, 1);
    this.#rates?.take(claim.places ?? []);
    return true;
  }

  release(call: string): void {
    const claim = this.#held.get(call);
    assert(claim, `call ${call} gives back locks that it never took`);
    this.#held.delete(call);
    this.#take(claim, -1);
  }

  get busy(): number {
    return this.#held.size;
  }

  get size(): number {
    return LIMITS.lockedCalls.value;
  }

  /** Keys have no number: the size is a bound. */
  resize(): void {}

  /** The place of a call's that is full, if one is. */
  fullPlace(call: string): Place | undefined {
    return this.#claims.get(call)?.places?.find(({ name, size }) => this.taken(name) >= size);
  }

  /** The place of a call's that has borne its calls of this minute, if one has. */
  lacking(call: string): string | undefined {
    return this.#rates?.lacking(this.#claims.get(call)?.places ?? []);
  }

  /** How many calls run there. */
  taken(place: string): number {
    return this.#taken.get(place) ?? 0;
  }

  #take({ places = [] }: Claim, count: number): void {
    for (const { name } of places) {
      const now = this.taken(name) + count;
      if (now === 0) this.#taken.delete(name);
      else this.#taken.set(name, now);
    }
  }

  /** Do two calls want something of each other? */
  contend(a: string, b: string): boolean {
    const [one, other] = [this.#claims.get(a), this.#claims.get(b)];
    return one !== undefined && other !== undefined && obstacle(one, other, false) !== undefined;
  }

  /** Who is in the way of a call that waits: holders first, then those that wait before it. */
  obstacles(call: string): Obstacle[] {
    const claim = this.#claims.get(call);
    if (!claim) return [];
    const holders = [...this.#held.values()].flatMap((other) => obstacle(claim, other, true) ?? []);
    // In the order in which they were tried: who comes after it is in nobody's way.
    const before = [...this.#before.values()];
    const place = before.indexOf(claim);
    const waiting = (place < 0 ? before : before.slice(0, place)).flatMap(
      (other) => obstacle(claim, other, false) ?? [],
    );
    return [...holders, ...waiting];
  }

  held(): Iterable<Claim> {
    return this.#held.values();
  }

  #inTheWay(claim: Claim): boolean {
    if (this.fullPlace(claim.call)) return true;
    for (const other of this.#held.values()) if (obstacle(claim, other, true)) return true;
    for (const other of this.#before.values())
      if (other.call !== claim.call && obstacle(claim, other, false)) return true;
    return false;
  }
}

function obstacle(claim: Claim, other: Claim, held: boolean): Obstacle | undefined {
  if (claim.agent === other.agent && claim.ordered && other.ordered) return undefined;
  for (const effect of other.effects)
    if (claim.effects.some((own) => conflict(own, effect))) return { claim: other, effect, held };
  return undefined;
}
