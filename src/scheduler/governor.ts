/**
 * The rate limits of providers, as their answers teach them: from their headers, mirrors of their buckets in every
 * dimension; from refusals, when they take calls again. A call is sent only when all of its limit covers it. A limit is of
 * one account and one model. In memory only: a restart learns it again with the first answer.
 */
import { Recent } from '../base/recent.ts';
import type { Terms } from './cost.ts';
import { LIMITS } from './limits.ts';
import type { Meter, Toll } from './meter.ts';
import { type Obstacle, Quota, type Used, type Verdict } from './quota.ts';
import type { Dimension, Reading } from './readings.ts';

export type { Used, Verdict };

export class Governor implements Meter {
  readonly #quotas = new Recent<string, Quota>(LIMITS.quotas.value);

  tryTake(toll: Toll, call: string, now: number): boolean {
    const obstacle = this.#obstacle(toll, now);
    if (!obstacle) this.take(toll, call, now);
    else this.#quotas.get(toll.limit)?.waited(obstacle);
    return obstacle === undefined;
  }

  /** For a call that goes whatever the limit holds. */
  take({ limit, need, nice }: Toll, call: string, now: number): void {
    const quota = this.#quotas.get(limit) ?? new Quota();
    quota.take(call, need, now, nice);
    this.#quotas.set(limit, quota);
  }

  opensAt(toll: Toll, now: number): number {
    return this.#obstacle(toll, now)?.atMs ?? now;
  }

  isOpen(toll: Toll, now: number): boolean {
    return this.#obstacle(toll, now) === undefined;
  }

  giveUp({ limit }: Toll, call: string, now: number): void {
    this.#quotas.get(limit)?.giveUp(call, now);
    this.#forget(limit);
  }

  /** When the provider takes calls again after a refusal; 0 if it does now. */
  refusedUntil(limit: string, now: number): number {
    return this.#quotas.get(limit)?.refusedUntil(now) ?? 0;
  }

  /** The head of an answer came, with these figures. */
  heard(limit: string, call: string, readings: readonly Reading[], now: number): void {
    this.#quotas.get(limit)?.heard(call, readings, now);
  }

  /** A call that was sent has ended. */
  leave(limit: string, call: string, verdict: Verdict, used: Used | undefined, now: number): void {
    this.#quotas.get(limit)?.leave(call, verdict, used, now);
    this.#forget(limit);
  }

  /** What serving costs under a limit; undefined before its buckets are known. */
  terms(limit: string): Terms | undefined {
    return this.#quotas.get(limit)?.terms;
  }

  /** How a limit charges, as far as that is known; undefined for one that was never met. */
  charging(limit: string): { readonly countsCached: boolean; readonly countsBound: boolean } | undefined {
    const charging = this.#quotas.get(limit)?.charging;
    return charging && { countsCached: charging.countsCached, countsBound: charging.countsBound };
  }

  /** Why a call waits for it, for people. */
  reason(toll: Toll, now: number): string {
    const obstacle = this.#obstacle(toll, now);
    return obstacle ? textOf(obstacle, now) : 'others go first under its limit';
  }

  #obstacle({ limit, need, nice }: Toll, now: number): Obstacle | undefined {
    return this.#quotas.get(limit)?.obstacle(need, now, nice);
  }

  #forget(limit: string): void {
    if (this.#quotas.get(limit)?.isIdle) this.#quotas.delete(limit);
  }
}

const WORDS: Readonly<Record<Dimension, string>> = {
  requests: 'requests',
  input: 'input tokens',
  output: 'output tokens',
  tokens: 'tokens',
};

function textOf(obstacle: Obstacle, now: number): string {
  const seconds = Math.ceil((obstacle.atMs - now) / 1000);
  if (obstacle.kind === 'refused') return `its provider refused a call and takes the next in ${seconds} s`;
  if (obstacle.kind === 'streams')
    return `its provider refused calls lately: ${obstacle.running} of at most ${obstacle.most} at once are on their way`;
  const { perMinute, left, need, kept } = obstacle;
  const what = WORDS[obstacle.dimension];
  const others = kept >= 1 ? ` beside ${Math.round(kept)} that are kept for calls that go first` : '';
  const [all, rest, wanted] = [perMinute, left, need].map(Math.round);
  return `of ${all} ${what} a minute ${rest} are left and ${wanted} are needed${others}: about ${seconds} s more`;
}
