/**
 * Stage limit: what a call counts against at each backend that may take it - the rate limit of an account for a model -
 * and how much of it. The scheduler grants a slot only with that; until then the call waits without one, in the order of
 * the policy. An answer that says that a limit is reached is absorbed: the call goes back to decide and is sent once more.
 * What cannot be absorbed within the call's deadline passes as the provider answered it.
 */
import type { Agent } from '../agents/table.ts';
import { refusal } from '../base/errors.ts';
import { Joined } from '../base/joined.ts';
import type { ModelOutcome } from '../base/model.ts';
import { NO_USAGE } from '../base/usage.ts';
import type { Need } from '../scheduler/charging.ts';
import type { Used, Verdict } from '../scheduler/governor.ts';
import { LIMITS as SCHEDULER_LIMITS } from '../scheduler/limits.ts';
import type { Toll, Wide } from '../scheduler/meter.ts';
import { Prefixes } from '../scheduler/prefixes.ts';
import { readPushback } from '../scheduler/pushback.ts';
import { readBuckets } from '../scheduler/readings.ts';
import type { Candidate } from './catalog.ts';
import { costAt } from './charge.ts';
import { type Flight, go, type Stage } from './flight.ts';
import { LIMITS } from './limits.ts';
import type { OnLimit, Parts, Settings } from './parts.ts';
import type { Wait } from './waits.ts';

/** A provider limits an account, model by model. */
const NAMES = new Joined(SCHEDULER_LIMITS.quotas.value);
const nameOf = ({ account, upstreamModel }: Candidate): string => NAMES.of(account, upstreamModel);
const BETWEEN = ' | ';

export class RateLimits {
  readonly #parts: Parts;
  readonly #sleep: (agent: Agent, limit: string, untilMs: number) => void;
  readonly #prefixes = new Prefixes();

  constructor(parts: Parts, sleep: (agent: Agent, limit: string, untilMs: number) => void) {
    this.#parts = parts;
    this.#sleep = sleep;
  }

  stage(flight: Flight): Stage<void> {
    const { governor, settings } = this.#parts;
    const tolls = new Map<string, Toll>();
    flight.tolls = tolls;
    const on = onLimitOf(flight, settings);
    if (!('facts' in flight.call.payload) || on === 'fail') return go(undefined);
    const now = this.#now();
    const untilAt = this.#absorbedUntil(flight);
    const [first] = flight.candidates;
    const ids = flight.links.map(({ exact }) => exact);
    flight.cacheUntil = first && this.#prefixes.expiresAt(nameOf(first), ids, now);
    let opensAt = Number.POSITIVE_INFINITY;
    for (const candidate of flight.candidates) {
      const toll = this.#tollOf(flight, candidate);
      // What opens too late for this call is the provider's to refuse.
      const refusedUntil = governor.refusedUntil(toll.limit, now);
      if (refusedUntil <= untilAt) tolls.set(candidate.backend.id, toll);
      opensAt = Math.min(opensAt, refusedUntil);
    }
    if (on === 'sleep' && tolls.size === 0 && first && !flight.granted)
      this.#sleep(flight.agent, nameOf(first), opensAt);
    return go(undefined);
  }

  /** The call is about to be sent: one that had to take nothing before counts all the same. */
  enter(flight: Flight): void {
    if (flight.toll || !flight.granted || !('facts' in flight.call.payload)) return;
    flight.toll = this.#tollOf(flight, flight.granted);
    this.#parts.governor.take(flight.toll, flight.call.id, this.#now());
  }

  /** The head of the answer has come. */
  heard({ call, toll, granted }: Flight, headers: readonly string[]): void {
    if (!toll || !granted) return;
    const now = this.#now();
    const readings = readBuckets(headers, now);
    if (readings.length === 0) return;
    const { governor, scheduler } = this.#parts;
    governor.heard(toll.limit, call.id, readings, now);
    const terms = granted.credential === 'local' ? undefined : governor.terms(toll.limit);
    if (terms) scheduler.reprice(granted.backend.id, terms);
    this.#look(toll.limit);
  }

  /** The attempt has ended; `outcome` is undefined where nothing was sent. True: it is absorbed, send it again. */
  leave(flight: Flight, outcome: ModelOutcome | undefined): boolean {
    const { toll, call, links } = flight;
    if (!toll) return false;
    const { governor } = this.#parts;
    const { limit } = toll;
    const now = this.#now();
    flight.toll = undefined;
    if (!outcome) {
      governor.giveUp(toll, call.id, now);
      return false;
    }
    const verdict = verdictOf(outcome, now);
    const used = usedBy(outcome);
    const cost = toll.wide && this.#costOf(flight, outcome, verdict);
    governor.leave(limit, call.id, verdict, used, now, cost);
    if (used)
      this.#prefixes.ended(
        limit,
        links.map(({ exact }) => exact),
        used,
        now,
      );
    this.#look(limit, toll.wide);
    if (typeof verdict !== 'object' || verdict.isFinal) return false;
    const on = onLimitOf(flight, this.#parts.settings);
    const opensAt = governor.refusedUntil(limit, now);
    if (on === 'fail' || opensAt <= this.#absorbedUntil(flight)) return on !== 'fail';
    if (on === 'sleep') this.#sleep(flight.agent, limit, opensAt);
    return on === 'sleep';
  }

  /**
   * While a call waits, its provider's cache ages: it is looked at anew when its prefix is about to go, and when it is gone.
   * The result ends that.
   */
  watch({ call, cacheUntil }: Flight): () => void {
    if (cacheUntil === undefined) return () => {};
    const { clock, waits } = this.#parts;
    const leftMs = cacheUntil - clock.now();
    const afterMs = leftMs > LIMITS.hurryMs.value ? leftMs - LIMITS.hurryMs.value : leftMs;
    return clock.after(Math.max(1, afterMs), () => waits.wake(call.id));
  }

  /** Why a call waits for its limits, for people. */
  reasons({ tolls }: Flight): string[] {
    const now = this.#now();
    return [...new Map([...tolls.values()].map((toll) => [toll.limit, toll])).values()].map(
      (toll) => `${toll.limit}: ${this.#parts.governor.reason(toll, now)}`,
    );
  }

  #tollOf(flight: Flight, candidate: Candidate): Toll {
    const { call, agent, links } = flight;
    const { payload } = call;
    const { estimator, scheduler } = this.#parts;
    const limit = nameOf(candidate);
    const nice = scheduler.inForce.byClass ? agent.nice : undefined;
    if (!('facts' in payload))
      return { limit, need: NOTHING, nice, wide: this.#wideOf(flight, candidate, NOTHING) };
    const { facts, decoded } = payload;
    const { maxOutput, choices } = facts;
    const { upstreamModel } = candidate;
    const tokens = estimator.estimate(upstreamModel, agent.client, decoded.length, maxOutput);
    const ids = links.map(({ exact }) => exact);
    const cached = Math.min(tokens.tokensIn, this.#prefixes.cached(limit, ids, this.#now()));
    const output = tokens.tokensOut * choices;
    const bound = maxOutput === undefined ? output : Math.max(output, maxOutput * choices);
    const need = { input: tokens.tokensIn, cached, output, bound };
    return { limit, need, nice, wide: this.#wideOf(flight, candidate, need) };
  }

  /** What operators say of the account that would pay, and of those above it; mostly nothing. */
  #wideOf(flight: Flight, candidate: Candidate, { input, cached, output }: Need): Wide | undefined {
    const { governor, accounts: known } = this.#parts;
    if (!governor.stated.isAny) return undefined;
    const accounts = governor.stated.among(known.chain(candidate.account));
    if (accounts.length === 0) return undefined;
    const usage = { ...NO_USAGE, input: input - cached, cacheRead: cached, output };
    return { accounts, nanoUsd: costAt(this.#parts, flight, candidate, usage) ?? 0 };
  }

  /** What a call that has ended cost its account; undefined where nobody says. */
  #costOf(flight: Flight, outcome: ModelOutcome, verdict: Verdict): number | undefined {
    if (typeof verdict === 'object') return 0;
    const { granted } = flight;
    const { usage } = outcome.facts;
    return granted && usage ? costAt(this.#parts, flight, granted, usage) : undefined;
  }

  /** Until when waiting for a limit may take: the client's own deadline, and not longer than the setting. */
  #absorbedUntil({ call, deadlineAt }: Flight): number {
    const { maxHoldMs } = this.#parts.settings;
    return Math.min(deadlineAt - LIMITS.answerMs.value, call.arrivedAt + maxHoldMs);
  }

  /** Calls that wait for this limit, or for what is said of its account, may go now. */
  #look(limit: string, wide?: Wide): void {
    const { scheduler, catalog } = this.#parts;
    if (wide) for (const backend of catalog.backends.keys()) scheduler.stir(backend);
    else scheduler.look(limit, catalog.backends.keys());
  }

  #now(): number {
    return this.#parts.clock.now();
  }
}

/** What the nearest of an agent and its parents has set, else the setting. */
const onLimitOf = ({ chain }: Flight, settings: Settings): OnLimit =>
  (chain.find(({ onLimit }) => onLimit !== null)?.onLimit as OnLimit | undefined) ?? settings.onLimit;

const NOTHING: Need = { input: 0, cached: 0, output: 0, bound: 0 };

/** What a call waits for that waits although a backend has room for it: a limit; undefined where none has. */
export function limitWait(parts: Parts, flight: Flight): Extract<Stage<never>, { kind: 'wait' }> | undefined {
  const { scheduler, governor, clock } = parts;
  const { tolls, deadlineAt } = flight;
  if (![...tolls.keys()].some((backend) => scheduler.hasRoom(backend))) return undefined;
  const names = [...new Set([...tolls.values()].map(({ limit }) => limit))];
  return {
    kind: 'wait',
    reason: 'limit',
    resource: names.join(BETWEEN),
    onDeadline: () => {
      const now = clock.now();
      const opensAt = Math.min(...[...tolls.values()].map((toll) => governor.opensAt(toll, now)));
      const afterMs = Number.isFinite(opensAt) ? opensAt - deadlineAt : LIMITS.heldRetryMs.value;
      return refusal('busy', `The rate limit of ${names[0]} left no room before the call's deadline.`, {
        retryAfterMs: Math.max(1000, afterMs),
      });
    },
  };
}

/** What a call waits for just now: a slot that is free since leaves the limit, and the other way round. */
export function waitNow(parts: Parts, flight: Flight | undefined, wait: Wait): Wait {
  if (!flight || (wait.reason !== 'slot' && wait.reason !== 'limit')) return wait;
  const limited = limitWait(parts, flight);
  if (limited) return { ...wait, reason: 'limit', resource: limited.resource };
  return { ...wait, reason: 'slot', resource: slotsOf(flight) };
}

/** The backends a call waits for, by name. */
export const slotsOf = ({ candidates }: Flight): string =>
  candidates.map(({ backend }) => backend.id).join('|');

function verdictOf(outcome: ModelOutcome, now: number): Verdict {
  if (outcome.kind !== 'answered') return 'unknown';
  if (!outcome.upstreamError) return 'served';
  if (outcome.headSent) return 'unknown';
  return readPushback(outcome.status, outcome.headers, outcome.tail, now) ?? 'unknown';
}

function usedBy({ facts: { usage } }: ModelOutcome): Used | undefined {
  if (!usage) return undefined;
  const { input, cacheRead, cacheWrite, output } = usage;
  return { input: input + cacheRead + cacheWrite, cached: cacheRead, output };
}
