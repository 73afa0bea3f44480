/**
 * Agents that a limit paused, a budget's or a provider's. The pause is stored with the refusal: which limit, and until when where it begins anew by
 * itself. They wake when that time comes or the limit is raised, also after a restart; a pause of an operator's is not
 * theirs to end.
 */
import { type Agent, agentPut } from '../agents/table.ts';
import type { Refusal } from '../base/errors.ts';
import type { Flight } from './flight.ts';
import { LIMITS } from './limits.ts';
import type { Parts } from './parts.ts';

const WHY = 'budget ';
/** Its provider takes no call of it before. */
const ASLEEP = 'rate limit of ';

/** Pauses the agent for the limit that refused it; the caller stores the agent with the refusal. */
export function pausedBy(parts: Parts, flight: Flight, why: Refusal): Refusal {
  const { agent } = flight;
  if (why.code !== 'over_budget' || why.rule === undefined || agent.hold !== 'none') return why;
  agent.hold = 'paused';
  parts.servers.release([agent.pid], false);
  agent.holdWhy = WHY + why.rule;
  const now = parts.clock.now();
  agent.holdUntil = parts.ledger.resetsAt(why.rule, now) ?? parts.reserves.resetsAt(why.rule, now);
  return why;
}

const isAsleep = ({ hold, holdWhy }: Agent): boolean =>
  hold === 'paused' && holdWhy?.startsWith(ASLEEP) === true;

const limitOf = (agent: Agent): string | undefined =>
  agent.hold === 'paused' && agent.holdWhy?.startsWith(WHY) ? agent.holdWhy.slice(WHY.length) : undefined;

export class Exhausted {
  readonly #parts: Parts;
  readonly #wake: (agents: readonly Agent[]) => void;
  #wakeAt = Number.POSITIVE_INFINITY;
  #cancel: () => void = () => {};

  /** Finds those that were paused before the kernel started. */
  constructor(parts: Parts, wake: (agents: readonly Agent[]) => void) {
    this.#parts = parts;
    this.#wake = wake;
    for (const agent of parts.agents.all()) this.expect(agent);
  }

  /** Wakes a paused agent when its limit begins anew. */
  expect(agent: Agent): void {
    if (
      (limitOf(agent) === undefined && !isAsleep(agent)) ||
      agent.holdUntil === null ||
      agent.holdUntil >= this.#wakeAt
    )
      return;
    this.#cancel();
    this.#wakeAt = agent.holdUntil;
    // A timer that waits for weeks would overflow: it looks again in between.
    const delayMs = Math.min(
      Math.max(0, this.#wakeAt - this.#parts.clock.now()),
      LIMITS.longestTimerMs.value,
    );
    this.#cancel = this.#parts.clock.after(delayMs, () => void this.#timeCame());
  }

  /** Pauses an agent until its provider takes calls again. Durable before anything that follows it in the journal. */
  sleep(agent: Agent, limit: string, untilMs: number): void {
    if (agent.hold !== 'none') return;
    agent.hold = 'paused';
    agent.holdWhy = ASLEEP + limit;
    agent.holdUntil = Math.ceil(untilMs);
    const body = {
      hold: 'paused',
      why: agent.holdWhy.slice(0, LIMITS.faultText.value),
      until: agent.holdUntil,
    };
    // A store that fails here has stopped the kernel.
    this.#parts.journal
      .append({ entries: [{ kind: 'agent.set', agent: agent.pid, body }], puts: [agentPut(agent)] })
      .catch(() => {});
    this.expect(agent);
  }

  /**
   * These limits changed: whoever they paused goes on, unless nothing is left of them still. The caller stores the
   * agents (`resumedRows`), then wakes them.
   */
  resume(limits: readonly string[]): Agent[] {
    const { ledger, reserves, clock } = this.#parts;
    const now = clock.now();
    const raised = new Set(
      limits.filter((id) => !ledger.isExhausted(id, now) && !reserves.isExhausted(id, now)),
    );
    return this.#resume((agent) => raised.has(limitOf(agent) ?? ''));
  }

  async #timeCame(): Promise<void> {
    const now = this.#parts.clock.now();
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const due = this.#resume((agent) => agent.holdUntil !== null && agent.holdUntil <= now);
    for (const agent of this.#parts.agents.all()) this.expect(agent);
    if (due.length === 0) return;
    await this.#parts.journal.append(resumedRows(due));
    this.#wake(due);
  }

  #resume(isDue: (agent: Agent) => boolean): Agent[] {
    const due = [...this.#parts.agents.all()].filter(
      (agent) => (limitOf(agent) !== undefined || isAsleep(agent)) && isDue(agent),
    );
    for (const agent of due) {
      agent.hold = 'none';
      agent.holdWhy = null;
      agent.holdUntil = null;
    }
    return due;
  }
}

export const resumedRows = (agents: readonly Agent[]) => ({
  entries: agents.map(({ pid }) => ({ kind: 'agent.set' as const, agent: pid, body: { hold: 'none' } })),
  puts: agents.map(agentPut),
});
