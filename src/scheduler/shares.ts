/**
 * Weighted fair shares by virtual-token counters (VTC: Sheng et al., OSDI 2024): who has had least for its weight is
 * next. A call is charged its estimate when it starts and what it really used when it ends; who comes back is lifted to
 * the least of those who stayed, so that idling saves nothing up.
 *
 * Bound. Let n be the slots of all backends and U the largest cost of a call, estimated or used, over its owner's weight.
 * For two owners who both have calls waiting for the same backends all through an interval, what they were served in it
 * for their weights differs by at most (4n + 2) U: counters differ by at most (n + 1) U (whoever is served has the least,
 * and n corrections can follow), service by n U more at each end (running calls are charged before they are served).
 */
import { costOf, ENGINE, type Terms } from './cost.ts';
import { Heap } from './heap.ts';
import { LIMITS } from './limits.ts';
import type { PolicyCall, PolicyConfig, PolicyEvent } from './policy.ts';

interface Charged {
  readonly terms: Terms;
  charge: number;
}
interface Entry {
  readonly share: Share;
  readonly counter: number;
}
interface Share {
  counter: number;
  /** Its one valid place among the active. */
  entry: Entry | undefined;
  /** Calls that wait or run: only who has some is lifted past, or sets the level for others. */
  readonly open: Map<string, Charged | undefined>;
}

export class Shares {
  readonly #shares = new Map<string, Share>();
  #weights: Readonly<Record<string, number>> = {};
  #terms = new Map<string, Terms>();
  /** Where who comes back starts when nobody else is there. */
  #level = 0;
  /** Owners who have calls, the least counter first; an entry that is not its owner's counter any more is passed over. */
  readonly #active = new Heap<Entry>((a, b) => a.counter < b.counter);

  constructor(config: PolicyConfig) {
    this.tune(config);
  }

  tune({ tuning, resources }: PolicyConfig): void {
    this.#weights = tuning.weights;
    this.#terms = new Map(resources.map((resource) => [resource.name, resource]));
  }

  /** Virtual tokens charged to the owner of this call, over its weight. */
  of({ owner }: PolicyCall): number {
    return this.#shares.get(owner)?.counter ?? this.#level;
  }

  /** How far the owner of this call is beyond the one that is furthest behind. */
  aheadOf(call: PolicyCall): number {
    return this.of(call) - this.#least();
  }

  weightOf(owner: string): number {
    const weight = this.#weights[owner];
    return weight !== undefined && weight > 0 ? weight : 1;
  }

  event(event: PolicyEvent): void {
    if (event.kind === 'tuned') this.tune(event.config);
    else if (event.kind === 'arrived') this.#arrived(event.call);
    else if (event.kind === 'started') this.#started(event.call, event.resource);
    else if (event.kind === 'served')
      this.#correct(event.call, ({ charge }) => Math.max(charge, event.tokens));
    else if (event.kind === 'ended') this.#ended(event);
  }

  #arrived({ owner, call }: PolicyCall): void {
    const known = this.#shares.get(owner);
    const share = known ?? { counter: this.#level, entry: undefined, open: new Map() };
    if (share.open.size === 0) {
      share.counter = Math.max(share.counter, this.#least());
      this.#shares.delete(owner);
      this.#shares.set(owner, share);
      this.#trim();
    }
    share.open.set(call, undefined);
    this.#place(share);
  }

  #started(call: PolicyCall, resource: string): void {
    const share = this.#shares.get(call.owner);
    if (!share) return;
    const terms = this.#terms.get(resource) ?? ENGINE;
    const charged: Charged = { terms, charge: 0 };
    share.open.set(call.call, charged);
    // Most of an input is cached; what was not comes with the end.
    this.#correct(call, () => costOf(terms, 0, call.outTokens));
  }

  #ended({ call, used }: Extract<PolicyEvent, { kind: 'ended' }>): void {
    const share = this.#shares.get(call.owner);
    if (!share) return;
    if (used) this.#correct(call, ({ terms }) => costOf(terms, used.input, used.output));
    share.open.delete(call.call);
    if (share.open.size === 0)
      this.#level = Math.max(this.#level, this.#active.size > 0 ? this.#least() : share.counter);
  }

  #correct(call: PolicyCall, charge: (now: Charged) => number): void {
    const share = this.#shares.get(call.owner);
    const charged = share?.open.get(call.call);
    if (!share || !charged) return;
    const next = charge(charged);
    share.counter += (next - charged.charge) / this.weightOf(call.owner);
    charged.charge = next;
    this.#place(share);
  }

  #place(share: Share): void {
    if (share.entry?.counter === share.counter) return;
    share.entry = { share, counter: share.counter };
    this.#active.push(share.entry);
    if (this.#active.size > 4 * this.#shares.size + 64) this.#clean();
  }

  #clean(): void {
    this.#active.keep((entry) => {
      const kept = isCurrent(entry);
      if (!kept && entry.share.entry === entry) entry.share.entry = undefined;
      return kept;
    });
  }

  /** The least counter of those who have calls. */
  #least(): number {
    for (let first = this.#active.peek(); first; first = this.#active.peek()) {
      if (isCurrent(first)) return first.counter;
      this.#active.pop();
      // Who comes back is placed anew.
      if (first.share.entry === first) first.share.entry = undefined;
    }
    return this.#level;
  }

  /** Forgets who was away longest. */
  #trim(): void {
    for (const [owner, { open }] of this.#shares) {
      if (this.#shares.size <= LIMITS.owners.value) return;
      if (open.size === 0) this.#shares.delete(owner);
    }
  }
}

const isCurrent = (entry: Entry): boolean => entry.share.entry === entry && entry.share.open.size > 0;
