/**
 * Which running call stops for one that waits, and what becomes of it: it waits in the queue like the others and goes on
 * when its turn comes. The decision is pure; the caller stops the call and says when it has. Invariants: a call is stopped
 * only where the policy puts the other first and going on later costs less than the other is spared; never more are kept
 * than the resource keeps, so none goes on in a cold cache; what was stopped and started again has a slice to itself.
 */
import { assert } from '../base/assert.ts';
import { costOf } from './cost.ts';
import { LIMITS } from './limits.ts';
import { compareKeys, type PolicyCall, plainCall, type Used } from './policy.ts';
import type { Queue, Waiting } from './queue.ts';
import type { Resource } from './resource.ts';

export interface Running {
  readonly waiting: Waiting;
  /** The same for events. */
  readonly told: PolicyCall;
  readonly resource: Resource;
  /** Later by the time it was stopped. */
  startedAt: number;
  used?: Used;
  /** Tokens of its answer, as far as was told, and how many it had when it last went on. */
  tokens: number;
  since: number;
  /** `stopped`: its share is given back; `loose`: it runs on without one, as nobody can give it one any more. */
  state: 'runs' | 'stopping' | 'stopped' | 'loose';
  stoppedAt: number;
  /** The call it is stopped for. */
  rival?: string;
}

export const newRunning = (waiting: Waiting, resource: Resource, now: number): Running => ({
  waiting,
  told: plainCall(waiting),
  resource,
  startedAt: now,
  tokens: 0,
  since: 0,
  state: 'runs',
  stoppedAt: 0,
});

/** The one that is next in the order. */
export interface Next {
  readonly key: readonly number[];
  /** It has waited the maximum: the policy's order counts no more. */
  readonly isOverdue: boolean;
}

/**
 * The call that should stop for the next; undefined where none should. `costOf`: virtual tokens that going on later costs
 * one; undefined where nobody knows, and then it is not stopped.
 */
export function victimFor(
  next: Next,
  running: readonly Running[],
  keyOf: (call: PolicyCall) => readonly number[],
  costOf: (one: Running) => number | undefined,
): Running | undefined {
  // What the next one is spared: the shortest wait for a slot that becomes free by itself.
  const gain = Math.min(...running.map(remainingOf)) - LIMITS.switchTokens.value;
  let last: { readonly one: Running; readonly key: readonly number[] } | undefined;
  for (const one of running) {
    if (one.state !== 'runs' || !one.waiting.preemptible || isInSlice(one)) continue;
    if ((costOf(one) ?? Number.POSITIVE_INFINITY) >= gain) continue;
    const key = keyOf(one.waiting);
    const goesBehind = next.isOverdue || compareKeys(next.key, key) < 0;
    if (goesBehind && (!last || compareKeys(key, last.key) > 0)) last = { one, key };
  }
  return last?.one;
}

/** Virtual tokens that a running call is expected to need still; one that outlived its estimate, as many as it has had. */
function remainingOf({ waiting, resource, tokens }: Running): number {
  const reading = tokens === 0 ? costOf(resource.terms, waiting.inTokens, 0) : 0;
  return reading + (tokens < waiting.outTokens ? waiting.outTokens - tokens : tokens);
}

const isInSlice = ({ since, tokens }: Running): boolean =>
  since > 0 && tokens - since < LIMITS.sliceTokens.value;

/** What it needs of the scheduler whose calls it stops. */
export interface Host {
  readonly running: ReadonlyMap<string, Running>;
  readonly queue: Queue;
  now(): number;
  isOverdue(waiting: Waiting): boolean;
  /** The first in the order of those that may have the resource. */
  first(resource: Resource): Waiting | undefined;
  keyOf(call: PolicyCall): readonly number[];
  /** Is there room for it in the cache beside all that will be wanted again? undefined: nobody knows. */
  fits(waiting: Waiting, resource: Resource): boolean | undefined;
  serve(resource: string): void;
  nextOrder(): number;
}

export class Preemption {
  readonly #host: Host;
  /** Who was let in by whom, until it is. */
  #made: { readonly room: string; readonly by: string } | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  /** May the call have the resource as far as those are concerned that are kept there? */
  hasSeat({ call }: PolicyCall, { name, size, terms: { keeps } }: Resource): boolean {
    return !keeps || this.#host.running.has(call) || this.#at(name).length < size + keeps;
  }

  /** Asks a running call to stop, where one should. */
  consider(resource: Resource): void {
    const { terms, busy, size, name } = resource;
    if ((!terms.keeps && !terms.continues) || busy < size || this.#host.queue.count(name) === 0) return;
    const here = this.#at(name);
    if (here.some(({ state }) => state === 'stopping')) return;
    const next = this.#host.first(resource);
    if (!next || next.deadlineAt <= this.#host.now()) return;
    const contender = { key: this.#host.keyOf(next), isOverdue: this.#host.isOverdue(next) };
    const victim = victimFor(
      contender,
      here.filter(({ state }) => state !== 'stopped'),
      (call) => this.#host.keyOf(call),
      (one) => this.#costOf(one, next),
    );
    if (!victim) return;
    victim.state = 'stopping';
    victim.rival = next.call;
    victim.waiting.preemptible?.suspend(`for call ${next.call}`);
  }

  /**
   * The call has stopped and gives its share back; `queued`: it goes on when its turn comes, else when `queue` is called.
   * false: as many are kept as may be, so it keeps its share. One that is stopped already only changes its queue.
   */
  park(call: string, queued: boolean): boolean {
    const running = this.#host.running.get(call);
    if (!running) return false;
    const { waiting, resource } = running;
    const kept = this.#at(resource.name).filter(({ state }) => state === 'stopped').length;
    if (running.state === 'stopped') {
      if (!queued) this.#host.queue.remove(call);
    } else if (!queued && !resource.terms.continues && kept >= (resource.terms.keeps ?? 0)) {
      running.state = 'runs';
      return false;
    } else {
      resource.release(call);
      running.state = 'stopped';
      running.stoppedAt = this.#host.now();
      if (running.rival !== undefined) this.#made = { room: running.rival, by: call };
    }
    if (queued) this.#enter(running, waiting);
    this.#host.serve(resource.name);
    return true;
  }

  /** It could not be stopped where it is: it runs as before, and has a slice before it is asked again; others are asked now. */
  resisted(call: string): void {
    const running = this.#host.running.get(call);
    if (running?.state !== 'stopping') return;
    running.state = 'runs';
    running.since = Math.max(1, running.tokens);
    this.consider(running.resource);
  }

  /** It has its share again, or none is left to give it. */
  goOn(running: Running, isLoose = false): void {
    assert(running.state === 'stopped', `call ${running.waiting.call} goes on and was not stopped`);
    running.state = isLoose ? 'loose' : 'runs';
    running.startedAt += this.#host.now() - running.stoppedAt;
    // At least one: what never was stopped has no slice.
    running.since = Math.max(1, running.tokens);
    delete running.rival;
    running.waiting.preemptible?.proceed();
  }

  /** Gives back what an ended call has. */
  release({ waiting: { call }, resource, state }: Running): void {
    if (state === 'stopped') this.#host.queue.remove(call);
    else if (state !== 'loose') resource.release(call);
  }

  /** The call that made room for this one. */
  roomFor(call: string): string | undefined {
    if (this.#made?.room !== call) return undefined;
    const { by } = this.#made;
    this.#made = undefined;
    return by;
  }

  /** It waits from now on, and keeps no place for the time before; its rate limit was paid when it started. */
  #enter(running: Running, { tolls: _paid, ...waiting }: Waiting): void {
    const queued = { ...waiting, resources: [running.resource.name], arrivedAt: running.stoppedAt };
    this.#host.queue.add(queued, this.#host.nextOrder());
  }

  /** A state that is kept costs nothing to go on with; else what the cache will have lost by then is read again. */
  #costOf({ waiting, tokens, resource }: Running, next: Waiting): number | undefined {
    const { terms } = resource;
    if (terms.keeps) return 0;
    const fits = this.#host.fits(next, resource);
    return fits === undefined ? undefined : costOf(terms, fits ? 1 : waiting.inTokens + tokens, 0);
  }

  #at(resource: string): Running[] {
    return [...this.#host.running.values()].filter((one) => one.resource.name === resource);
  }
}
