/** What waits must wait by name for something that really blocks it, and what is free is taken. */
import type { Wait } from '../../src/gate/waits.ts';
import type { Slots } from './market.ts';
import { candidatesOf } from './market.ts';
import type { Request } from './requests.ts';
import type { Standing } from './standing.ts';
import type { Views } from './views.ts';

/** What can be seen of a kernel that stands still. */
export interface Watched {
  readonly flights: readonly {
    readonly call: string;
    readonly agent: number;
    readonly request: Request | undefined;
  }[];
  readonly waits: ReadonlyMap<string, Wait>;
  readonly now: number;
  /** Has the kernel begun to shut down? Then nothing waits any more. */
  readonly isDraining: boolean;
}

interface Facts {
  readonly standing: Standing;
  readonly slots: Slots;
  holders(backend: string): number;
  isPerforming(call: string): boolean;
  /** Where it began and stands still. */
  standsAt(call: string): string | undefined;
}

export class WaitCheck {
  readonly #views: Views;
  readonly #report: (rule: string, detail: string) => void;

  constructor(views: Views, report: (rule: string, detail: string) => void) {
    this.#views = views;
    this.#report = report;
  }

  check({ flights, waits, now, isDraining }: Watched, facts: Facts): void {
    if (isDraining) for (const call of waits.keys()) this.#report('drains', `${call} still waits`);
    const calls = new Set(flights.map(({ call }) => call));
    for (const call of waits.keys())
      if (!calls.has(call)) this.#report('waits-named', `${call} has a row among the waits and is gone`);
    for (const { call, agent, request } of flights) {
      const wait = waits.get(call);
      if (!wait) {
        if (!this.#views.isPending(call) && !facts.isPerforming(call))
          this.#report('waits-named', `${call} neither waits by name nor is written or performed`);
        const at = facts.standsAt(call);
        const isPaused = facts.standing.chain(agent).some((pid) => facts.standing.isPaused(pid));
        if (at !== undefined && !isPaused && facts.holders(at) < (facts.slots[at] ?? 0))
          this.#report('stands-still', `${call} stands still at ${at}, which has a free slot`);
        continue;
      }
      const why = this.#idle(wait, agent, request, now, facts);
      if (why) this.#report('waits-blocked', `${call} waits for ${wait.reason} ${wait.resource}, but ${why}`);
    }
  }

  /** Why the wait is not real; undefined if it is. */
  #idle(
    wait: Wait,
    agent: number,
    request: Request | undefined,
    now: number,
    facts: Facts,
  ): string | undefined {
    const chain = facts.standing.chain(agent);
    const bar = facts.standing.bar(agent, '');
    if (bar !== undefined) return `${bar} is in force`;
    if (wait.deadlineAt < now - SKEW_MS) return 'its deadline has passed';
    if (wait.reason === 'pause') {
      const pid = Number(wait.resource);
      if (!chain.includes(pid)) return 'that agent is not above it';
      return facts.standing.isPaused(pid) ? undefined : 'that agent is not paused';
    }
    if (wait.reason === 'approval')
      return facts.standing.isOpen(wait.resource) ? undefined : 'that question is closed';
    if (!request || request.kind === 'tool.call') return 'a tool call needs no slot';
    const { promisedPolicy, untold } = facts.standing;
    const mayRunAt = (name: string) =>
      ![promisedPolicy, ...untold].some((one) => facts.standing.forbidsBackend(name, one));
    const free = candidatesOf(request, facts.slots).find(
      (name) => mayRunAt(name) && facts.holders(name) < (facts.slots[name] ?? 0),
    );
    return free === undefined ? undefined : `${free} has a free slot`;
  }
}

/** Deadlines are kept by timers; a wall clock that was set forward makes them look late. */
const SKEW_MS = 7_200_000;
