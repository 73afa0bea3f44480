/**
 * A scheduling policy owns the order of waiting calls and nothing else: no clock, no queue, no resources. Every host
 * (the kernel, a simulation, a benchmark) runs the same policy by the same events, so the same events give the same
 * order.
 */
import type { Terms } from './cost.ts';
import type { ServiceTable } from './history.ts';

export interface PolicyCall {
  readonly call: string;
  readonly agent: number;
  /** Whose share it is. */
  readonly owner: string;
  readonly turn?: string | undefined;
  /** The conversation whose cached prefix it extends, where its turn has several: a sub-agent's. */
  readonly thread?: string | undefined;
  /** -20 (first) to 19 (last). */
  readonly nice: number;
  readonly arrivedAt: number;
  /** Serving it after this wall time helps nobody. */
  readonly deadlineAt: number;
  /** Tokens of its whole input and of its answer, as far as the request and what came before tell. */
  readonly inTokens: number;
  readonly outTokens: number;
  /** Of its input, what no cache should have: what it is known to need at least. Undefined: nothing is known. */
  readonly freshTokens?: number | undefined;
  /** Of its input, what a provider has cached and forgets soon, unless the call is served before. */
  readonly expiringTokens?: number | undefined;
  /** Where it may be served, the preferred first. */
  readonly resources?: readonly string[] | undefined;
  /** What kind of program asks, for what was learned of its like: the client, and whether it is a sub-agent. */
  readonly image: string;
}

/**
 * What events say of a call, without what its caller gave with it: policies, the log and the models of caches keep them
 * long after the call, and with its callbacks all of the call would stay, its body too.
 */
export const plainCall = (call: PolicyCall): PolicyCall => ({
  call: call.call,
  agent: call.agent,
  owner: call.owner,
  turn: call.turn,
  thread: call.thread,
  nice: call.nice,
  arrivedAt: call.arrivedAt,
  deadlineAt: call.deadlineAt,
  inTokens: call.inTokens,
  outTokens: call.outTokens,
  freshTokens: call.freshTokens,
  expiringTokens: call.expiringTokens,
  resources: call.resources,
  image: call.image,
});

/** Tokens that a call really used. `input` was computed, `cached` was not. */
export interface Used {
  readonly input: number;
  readonly cached: number;
  readonly output: number;
  /** The answer asks for no tool: the turn ends with it. */
  readonly endsTurn: boolean;
}

/** What operators tune. */
export interface Tuning {
  /** Shares of owners; one that is not named has 1. */
  readonly weights: Readonly<Record<string, number>>;
  /** How much the cost of reloading a cache counts against the work that is left; 0: not at all. */
  readonly reload: number;
}

export interface PolicyConfig {
  readonly resources: readonly (Terms & { readonly name: string; readonly size: number })[];
  readonly tuning: Tuning;
  /** What finished turns tell of those that run; a newer one comes with `tuned`. */
  readonly history: ServiceTable;
}

/**
 * `at` is wall time in ms. `served` says how many tokens of answer a running call has had so far; `ended` without `used`
 * that nothing is known of what it used, or that it never ran (one that is stopped for another has not ended, and its key
 * is asked for again); `evicted` that a turn's cached prefix is gone.
 */
export type PolicyEvent =
  | { readonly kind: 'arrived'; readonly at: number; readonly call: PolicyCall }
  | { readonly kind: 'started'; readonly at: number; readonly call: PolicyCall; readonly resource: string }
  | { readonly kind: 'served'; readonly at: number; readonly call: PolicyCall; readonly tokens: number }
  | { readonly kind: 'ended'; readonly at: number; readonly call: PolicyCall; readonly used?: Used }
  | { readonly kind: 'evicted'; readonly at: number; readonly call: PolicyCall; readonly resource: string }
  | { readonly kind: 'tuned'; readonly at: number; readonly config: PolicyConfig };

export interface Policy<S> {
  readonly name: string;
  /** For people, in one line. */
  readonly text: string;
  /** Keys depend on the call alone: the host need not ask for one again. */
  readonly fixed?: true;
  /** The nice value goes before all else: rate limits keep something for those with a smaller one. */
  readonly byClass?: true;
  /**
   * The first `parts` numbers of a key are the same for all waiting calls of one owner (or agent) with one nice value:
   * when they change, the host moves one entry and not all of these calls.
   */
  readonly shared?: { readonly by: 'owner' | 'agent'; readonly parts: number };
  start(config: PolicyConfig): S;
  /** The state after the event; it may be the same object, changed. */
  event(state: S, event: PolicyEvent): S;
  /**
   * Compared from left to right, smallest first; equal keys go by arrival. The shared parts may change only for the owner
   * (or agent), the rest only for the turn, of the call that the last event named; all may with `tuned`.
   */
  key(state: S, call: PolicyCall): readonly number[];
  /** Why the call stands where it stands, for people. */
  reasons(state: S, call: PolicyCall): string[];
}

export function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
