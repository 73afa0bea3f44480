/** The scheduler's side of rate limits: takes what a call needs before it is granted, and looks again when it may be there. */
import type { Clock } from '../base/clock.ts';
import type { Meter } from './meter.ts';
import { lineOf, type Waiting } from './queue.ts';

interface Alarm {
  readonly atMs: number;
  cancel(): void;
}

export class Tolls {
  readonly #meter: Meter | undefined;
  readonly #clock: Clock;
  readonly #serve: (resource: string) => void;
  /** When each closed line is looked at again. */
  readonly #alarms = new Map<string, Alarm>();

  constructor(meter: Meter | undefined, clock: Clock, serve: (resource: string) => void) {
    this.#meter = meter;
    this.#clock = clock;
    this.#serve = serve;
  }

  /**
   * False: its line stays closed until there is enough. Nothing is kept from one that is overdue. `held`: accounts for
   * which one ahead of it waits.
   */
  tryTake(waiting: Waiting, resource: string, isOverdue = false, held?: Set<string>): boolean {
    const asked = waiting.tolls?.get(resource);
    if (!asked || !this.#meter) return true;
    if (held?.size && asked.wide?.accounts.some((account) => held.has(account))) return false;
    const toll = isOverdue ? { ...asked, nice: undefined } : asked;
    const now = this.#clock.now();
    if (this.#meter.tryTake(toll, waiting.call, now)) return true;
    const account = this.#meter.heldBy?.(toll, now);
    if (account !== undefined) held?.add(account);
    const atMs = this.#meter.opensAt(toll, now);
    if (Number.isFinite(atMs)) this.#lookAt(resource, lineOf(waiting, resource), atMs);
    return false;
  }

  giveUp(waiting: Waiting, resource: string): void {
    const toll = waiting.tolls?.get(resource);
    if (toll) this.#meter?.giveUp(toll, waiting.call, this.#clock.now());
  }

  #lookAt(resource: string, line: string, atMs: number): void {
    const old = this.#alarms.get(line);
    if (old && old.atMs <= atMs) return;
    old?.cancel();
    const cancel = this.#clock.after(Math.max(1, atMs - this.#clock.now()), () => {
      this.#alarms.delete(line);
      this.#serve(resource);
    });
    this.#alarms.set(line, { atMs, cancel });
  }
}
