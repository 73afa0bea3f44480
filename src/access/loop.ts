/**
 * The loop guard: what looks like a runaway agent is asked about. An approval admits the one call it was given for, and
 * the guard counts anew: the next question comes after as many repetitions, or as much money, again. In memory only: a
 * restart ends a loop too.
 */
import { Recent } from '../base/recent.ts';
import type { NanoUsd } from '../base/usage.ts';
import { LIMITS } from './limits.ts';
import { Pace } from './pace.ts';

export interface LoopSettings {
  readonly repeats: number;
  readonly windowMs: number;
  readonly nanoUsdPerHour: NanoUsd;
}

/** One call as the guard sees it; `tree` is the pid of the agent's topmost ancestor. */
export interface GuardedCall {
  /** Its agent and its digest, equal for equal calls. */
  readonly call: string;
  readonly tree: number;
}

/** Why a call is asked about. A tree that spends too fast is asked about once, however many of its calls wait. */
export interface Suspicion {
  readonly text: string;
  readonly ofTree: boolean;
}

export class Loops {
  #settings: LoopSettings;
  /** When each call was made, newest last, at most `repeats` times. */
  readonly #times = new Recent<string, number[]>(LIMITS.loopCalls.value);
  readonly #pace = new Pace();
  /** The question that is open about a tree. */
  readonly #questions = new Map<number, string>();

  constructor(settings: LoopSettings) {
    this.#settings = settings;
  }

  /** Other settings from now on; what was counted stays. */
  tune(settings: LoopSettings): void {
    this.#settings = settings;
  }

  check({ call, tree }: GuardedCall, now: number): Suspicion | undefined {
    const { repeats, windowMs, nanoUsdPerHour } = this.#settings;
    const times = this.#times.get(call) ?? [];
    const recent = times.filter((at) => at > now - windowMs).length;
    if (recent >= repeats) {
      const within = Math.round(windowMs / 1000);
      const text = `The same call was made ${recent} times within ${within} s: it may be a loop.`;
      return { text, ofTree: false };
    }
    const text = this.#pace.check(tree, nanoUsdPerHour, now);
    return text === undefined ? undefined : { text, ofTree: true };
  }

  /** A call was made; `reserved` is what it will probably cost. */
  record({ call, tree }: GuardedCall, reserved: NanoUsd, now: number): void {
    const times = [...(this.#times.get(call) ?? []), now].slice(-this.#settings.repeats);
    this.#times.set(call, times);
    this.#pace.spend(tree, reserved, now);
  }

  /** A call cost more or less than it had reserved. */
  settle(tree: number, difference: NanoUsd, now: number): void {
    this.#pace.spend(tree, difference, now);
  }

  /** A person admitted a call that the guard had asked about. */
  rearm({ call, tree }: GuardedCall): void {
    this.#times.delete(call);
    this.#pace.rearm(tree);
    this.#questions.delete(tree);
  }

  /** A person approved the question that is open about a tree: its spending is counted anew, once. */
  answered(tree: number, question: string): void {
    if (this.#questions.get(tree) !== question) return;
    this.#pace.rearm(tree);
    this.#questions.delete(tree);
  }

  /** The question about a tree that was asked last. */
  question(tree: number): string | undefined {
    return this.#questions.get(tree);
  }

  asked(tree: number, question: string): void {
    this.#questions.delete(tree);
    this.#questions.set(tree, question);
    if (this.#questions.size > LIMITS.paceTrees.value)
      this.#questions.delete(this.#questions.keys().next().value as number);
  }
}
