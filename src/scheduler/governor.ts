/**
 * The rate limits of providers, as their answers teach them: from their headers, mirrors of their buckets in every
 * dimension; from refusals, when they take calls again. A call is sent only when all of its limit covers it. A limit is of
 * one account and one model. In memory only: a restart learns it again with the first answer.
 */
import { Recent } from '../base/recent.ts';
import type { Terms } from './cost.ts';
import { LIMITS } from './limits.ts';
import type { Meter, Standing, Toll } from './meter.ts';
import { type Obstacle, Quota, type Used, type Verdict } from './quota.ts';
import type { Dimension, Reading } from './readings.ts';
import { StatedLimits, type StatedObstacle } from './stated.ts';

export type { Used, Verdict };

export class Governor implements Meter {
  readonly #quotas = new Recent<string, Quota>(LIMITS.quotas.value);
  /** What no header tells. */
  readonly stated = new StatedLimits();

  tryTake(toll: Toll, call: string, now: number): boolean {
    const obstacle = this.#obstacle(toll, now);
    if (!obstacle) this.take(toll, call, now);
    else if (isOfQuota(obstacle)) this.#quotas.get(toll.limit)?.waited(obstacle);
    return obstacle === undefined;
  }

  /** For a call that goes whatever the limit holds. */
  take({ limit, need, nice, wide }: Toll, call: string, now: number): void {
    const quota = this.#quotas.get(limit) ?? new Quota();
    quota.take(call, need, now, nice);
    this.#quotas.set(limit, quota);
    if (wide) this.stated.take(call, wide, now);
  }

  opensAt(toll: Toll, now: number): number {
    return this.#obstacle(toll, now)?.atMs ?? now;
  }

  isOpen(toll: Toll, now: number): boolean {
    return this.#obstacle(toll, now) === undefined;
  }

  heldBy(toll: Toll, now: number): string | undefined {
    const obstacle = toll.wide && this.#obstacle(toll, now);
    return obstacle && !isOfQuota(obstacle) ? obstacle.account : undefined;
  }

  giveUp({ limit, wide }: Toll, call: string, now: number): void {
    this.#quotas.get(limit)?.giveUp(call, now);
    if (wide) this.stated.settle(call, 0, now);
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

  /** A call that was sent has ended; `nanoUsd`: what it cost, where something is said of its account and that is known. */
  leave(
    limit: string,
    call: string,
    verdict: Verdict,
    used: Used | undefined,
    now: number,
    nanoUsd?: number,
  ): void {
    this.#quotas.get(limit)?.leave(call, verdict, used, now);
    this.stated.settle(call, nanoUsd, now);
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

  /** How each limit that is known stands. */
  *standing(now: number): Iterable<Standing> {
    for (const { account, ...rest } of this.stated.list(now))
      yield { limit: account, ...rest, from: 'mezz.yaml' };
    for (const [limit, quota] of this.#quotas) for (const one of quota.standing(now)) yield { limit, ...one };
  }

  #obstacle({ limit, need, nice, wide }: Toll, now: number): Obstacle | StatedObstacle | undefined {
    const own = this.#quotas.get(limit)?.obstacle(need, now, nice);
    const stated = wide && this.stated.obstacle(wide, now);
    return stated && (own?.atMs ?? 0) <= stated.atMs ? stated : own;
  }

  #forget(limit: string): void {
    if (this.#quotas.get(limit)?.isIdle) this.#quotas.delete(limit);
  }
}

const isOfQuota = (obstacle: Obstacle | StatedObstacle): obstacle is Obstacle =>
  obstacle.kind !== 'open' && obstacle.kind !== 'money';

const WORDS: Readonly<Record<Dimension, string>> = {
  requests: 'requests',
  input: 'input tokens',
  output: 'output tokens',
  tokens: 'tokens',
};

const usd = (nano: number): string => `$${(nano / 1e9).toPrecision(3)}`;

function textOf(obstacle: Obstacle | StatedObstacle, now: number): string {
  const seconds = Math.ceil((obstacle.atMs - now) / 1000);
  if (obstacle.kind === 'refused') return `its provider refused a call and takes the next in ${seconds} s`;
  if (obstacle.kind === 'open')
    return `${obstacle.open} of at most ${obstacle.most} answers of account ${obstacle.account} are open`;
  if (obstacle.kind === 'money') {
    const { account, perHour, left, need } = obstacle;
    return `of ${usd(perHour)} an hour for account ${account} ${usd(left)} are left and ${usd(need)} are needed: about ${seconds} s more`;
  }
  if (obstacle.kind === 'streams') {
    const why = obstacle.isTold ? 'allows so many at once' : 'refused calls lately';
    return `its provider ${why}: ${obstacle.running} of at most ${obstacle.most} are on their way`;
  }
  const { perMinute, left, need, kept } = obstacle;
  const what = WORDS[obstacle.dimension];
  const others = kept >= 1 ? ` beside ${Math.round(kept)} that are kept for calls that go first` : '';
  const [all, rest, wanted] = [perMinute, left, need].map(Math.round);
  return `of ${all} ${what} a minute ${rest} are left and ${wanted} are needed${others}: about ${seconds} s more`;
}
