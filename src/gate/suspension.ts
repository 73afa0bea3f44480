/**
 * One running call that can be stopped between two tokens: for another call, when the scheduler says so, and while its agent
 * is paused, for as long as may be: a state that is kept is room that nobody else has. It gives its slot back; its
 * client's stream stays open. Invariant: whatever is said to it in whatever order, it runs exactly when it has a slot, or
 * keeps the one it had, and its agent is not paused, or was for too long.
 */
import type { CallId } from '../base/ids.ts';
import type { Suspendable } from '../base/ports.ts';
import { LIMITS } from './limits.ts';
import type { Parts } from './parts.ts';

/** What is told of it as it happens. */
export interface Told {
  /** For the trace. */
  step(now: number, stage: string, detail: string): void;
  /** For its client, which is kept while it stands still. */
  waits(isWaiting: boolean): void;
}

export class Suspension {
  readonly #parts: Parts;
  readonly #told: Told;
  readonly #call: CallId;
  readonly #handle: Suspendable;
  #isPaused = false;
  /** Why another call goes before it; undefined while none does. */
  #rival: string | undefined;
  #state: 'runs' | 'stopping' | 'stopped' = 'runs';
  /** It gave its slot back. */
  #isParked = false;
  #isOver = false;
  #since = 0;
  #cancelBound: () => void = () => {};
  /** How often it was stopped, and for how long so far. */
  times = 0;
  #ms = 0;

  constructor(parts: Parts, call: CallId, told: Told, handle: Suspendable) {
    this.#parts = parts;
    this.#told = told;
    this.#call = call;
    this.#handle = handle;
  }

  get isStopped(): boolean {
    return this.#state === 'stopped';
  }

  get since(): number {
    return this.#since;
  }

  get totalMs(): number {
    return this.#ms + (this.isStopped ? this.#parts.clock.now() - this.#since : 0);
  }

  /** What it waits for, for people. */
  get why(): string {
    if (this.#isPaused)
      return `its agent is paused; it goes on to its end ${LIMITS.stoppedMs.value / 60_000} minutes after it was`;
    return this.#rival ?? 'it is about to go on';
  }

  /** The scheduler: another call goes first. */
  preempt(why: string): void {
    // Paused in its slot, it has nothing to stop any more.
    if (this.isStopped) {
      this.#isParked = this.#parts.scheduler.preemption.park(this.#call, false);
      return;
    }
    this.#rival = why;
    void this.#stop();
  }

  /** The scheduler: it has a slot again. */
  proceed(): void {
    this.#isParked = false;
    this.#goOn();
  }

  pause(): void {
    if (this.#isPaused || this.#isOver) return;
    this.#isPaused = true;
    this.#cancelBound = this.#parts.clock.after(LIMITS.stoppedMs.value, () => this.#outstay());
    if (this.#isParked) this.#parts.scheduler.preemption.park(this.#call, false);
    else void this.#stop();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#cancelBound();
    if (this.#state !== 'stopped') return;
    if (this.#isParked) this.#parts.scheduler.preemption.park(this.#call, true);
    else this.#goOn();
  }

  /** The call has ended. */
  over(): void {
    if (this.isStopped) this.#account();
    this.#isOver = true;
    this.#cancelBound();
  }

  /** Its agent stays paused, and has no next call before it goes on; this one ends, and gives back what it keeps. */
  #outstay(): void {
    this.#told.step(this.#parts.clock.now(), 'outstay', 'its agent is still paused; it ends');
    this.resume();
  }

  async #stop(): Promise<void> {
    if (this.#state !== 'runs') return;
    this.#state = 'stopping';
    const suspended = await this.#handle.suspend();
    if (this.#isOver) return;
    const { preemption } = this.#parts.scheduler;
    const isWanted = this.#isPaused || this.#rival !== undefined;
    if (!suspended || !isWanted) {
      this.#state = 'runs';
      this.#rival = undefined;
      if (suspended) this.#handle.proceed();
      else this.#told.step(this.#parts.clock.now(), 'resist', 'what it writes now cannot be broken off');
      return preemption.resisted(this.#call);
    }
    this.#state = 'stopped';
    this.#since = this.#parts.clock.now();
    this.times++;
    this.#told.step(this.#since, 'suspend', this.why);
    this.#told.waits(true);
    this.#isParked = true;
    if (!preemption.park(this.#call, !this.#isPaused)) this.#isParked = false;
  }

  #goOn(): void {
    this.#account();
    this.#state = 'runs';
    this.#rival = undefined;
    const now = this.#parts.clock.now();
    this.#told.step(now, 'proceed', `after ${now - this.#since} ms`);
    this.#told.waits(false);
    this.#handle.proceed();
  }

  #account(): void {
    this.#ms += this.#parts.clock.now() - this.#since;
  }
}
