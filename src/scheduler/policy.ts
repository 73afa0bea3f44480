/**
 * A scheduling policy owns the order of waiting calls and nothing else: no clock, no queue, no resources. Every host
 * (the kernel, a simulation, a benchmark) runs the same policy by the same events, so the same events give the same
 * order.
 */
export interface PolicyCall {
  readonly call: string;
  readonly agent: number;
  readonly turn?: string | undefined;
  /** -20 (first) to 19 (last). */
  readonly nice: number;
  readonly arrivedAt: number;
}

export interface PolicyConfig {
  readonly resources: readonly { readonly name: string; readonly size: number }[];
}

/** `at` is wall time in ms. `served` says how much service a running call has had so far, in tokens. */
export type PolicyEvent =
  | { readonly kind: 'arrived'; readonly at: number; readonly call: PolicyCall }
  | { readonly kind: 'started'; readonly at: number; readonly call: PolicyCall; readonly resource: string }
  | { readonly kind: 'served'; readonly at: number; readonly call: PolicyCall; readonly tokens: number }
  | { readonly kind: 'ended'; readonly at: number; readonly call: PolicyCall }
  | { readonly kind: 'tuned'; readonly at: number; readonly config: PolicyConfig };

export interface Policy<S> {
  readonly name: string;
  /** Keys depend on the call alone: the host need not ask for one again. */
  readonly fixed?: true;
  start(config: PolicyConfig): S;
  /** The state after the event; it may be the same object, changed. */
  event(state: S, event: PolicyEvent): S;
  /**
   * Compared from left to right, smallest first; equal keys go by arrival. A key may change only for the turn or the
   * agent of the call that the last event named, or with `tuned`.
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
