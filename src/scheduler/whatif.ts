/**
 * What-if: recorded calls replayed in virtual time under another policy, by the very scheduler and policy code that runs
 * live. Closed loop: a call arrives as long after the end of the call of its agent before it as it did then. How long a
 * call runs and what it answers is held as it was; so is who refuses and who fails. Pure.
 */
import type { Clock } from '../base/clock.ts';
import { Heap } from './heap.ts';
import { History } from './history.ts';
import type { Policy, Tuning } from './policy.ts';
import { type Resource, Slots } from './resource.ts';
import { Scheduler } from './scheduler.ts';

export interface Recorded {
  readonly call: string;
  readonly agent: number;
  readonly owner: string;
  readonly turn: string | undefined;
  readonly nice: number;
  readonly image: string;
  readonly backend: string;
  readonly arrivedAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly input: number;
  readonly cached: number;
  readonly output: number;
}
export interface World {
  readonly resources: readonly Pick<Resource, 'name' | 'size' | 'terms'>[];
  readonly tuning: Tuning;
  readonly maxWaitMs: number;
}

/** How long each agent's calls waited, all together, in ms. */
export type Waits = ReadonlyMap<number, number>;

interface Due {
  readonly at: number;
  readonly order: number;
  run(): void;
}

export function waitsRecorded(calls: readonly Recorded[]): Waits {
  const waits = new Map<number, number>();
  for (const { agent, arrivedAt, startedAt } of calls)
    waits.set(agent, (waits.get(agent) ?? 0) + startedAt - arrivedAt);
  return waits;
}

/** Replays the calls, in any order, under a policy; `fault`: it failed, and what it would have done is not known. */
export function replay(
  calls: readonly Recorded[],
  policy: Policy<unknown>,
  world: World,
): { readonly waits: Waits; readonly fault: string | undefined } {
  const due = new Heap<Due>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));
  let now = 0;
  const at = (when: number, order: number, run: () => void) => due.push({ at: when, order, run });
  // At one instant what ends comes first, then what arrives in the order in which it once did.
  const placeOf = new Map([...calls].sort((a, b) => a.arrivedAt - b.arrivedAt).map((one, i) => [one, i]));
  const come = (when: number, one: Recorded) => at(when, placeOf.get(one) ?? 0, () => arrive(one));
  const clock: Clock = { now: () => now, after: () => () => {} };
  const resources = world.resources.map(({ name, size, terms }) => new Slots(name, size, terms));
  const scheduler = new Scheduler({
    ...world,
    clock,
    resources,
    policy,
    // As it was before the first of them is not known: what is learned is learned on the way.
    history: new History(),
    queue: Number.POSITIVE_INFINITY,
  });
  const waits = new Map<number, number>();
  const next = followersOf(calls);
  const arrive = (one: Recorded): void => {
    const arrivedAt = now;
    scheduler.submit({
      ...one,
      arrivedAt,
      deadlineAt: Number.POSITIVE_INFINITY,
      inTokens: one.input + one.cached,
      outTokens: one.output,
      resources: [one.backend],
      onGrant: () => {
        waits.set(one.agent, (waits.get(one.agent) ?? 0) + now - arrivedAt);
        at(now + one.endedAt - one.startedAt, -1, () => end(one));
      },
      onRefuse: () => {},
    });
  };
  const end = (one: Recorded): void => {
    for (const other of next.get(one) ?? []) come(now + other.arrivedAt - one.endedAt, other);
    const endsTurn = !(next.get(one) ?? []).some(({ turn }) => turn === one.turn);
    scheduler.used(one.call, { input: one.input, cached: one.cached, output: one.output, endsTurn });
    scheduler.release(one.call, one.backend);
  };
  for (const one of next.get(undefined) ?? []) come(one.arrivedAt, one);
  for (let one = due.pop(); one; one = due.pop()) {
    now = one.at;
    one.run();
  }
  return { waits, fault: scheduler.fault };
}

/** Which calls came after which: those of an agent after its latest call that had ended by then; the first after none. */
function followersOf(calls: readonly Recorded[]): ReadonlyMap<Recorded | undefined, Recorded[]> {
  const followers = new Map<Recorded | undefined, Recorded[]>();
  const byAgent = Map.groupBy(calls, ({ agent }) => agent);
  for (const own of byAgent.values()) {
    const byEnd = [...own].sort((a, b) => a.endedAt - b.endedAt);
    const byArrival = [...own].sort((a, b) => a.arrivedAt - b.arrivedAt);
    let ended = 0;
    for (const call of byArrival) {
      while ((byEnd[ended]?.endedAt ?? Number.POSITIVE_INFINITY) <= call.arrivedAt) ended++;
      // A call that took no time at all is not its own predecessor.
      const before = byEnd[ended - 1] === call ? undefined : byEnd[ended - 1];
      followers.set(before, [...(followers.get(before) ?? []), call]);
    }
  }
  return followers;
}
