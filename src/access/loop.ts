/** The loop guard: the same agent making the very same call again and again. In memory only: a restart ends a loop too. */
import { LIMITS } from './limits.ts';

export interface LoopSettings {
  readonly repeats: number;
  readonly windowMs: number;
}

export class Loops {
  #settings: LoopSettings;
  /** When each call was made, newest last, at most `repeats` times; the calls in order of their last time. */
  readonly #times = new Map<string, number[]>();

  constructor(settings: LoopSettings) {
    this.#settings = settings;
  }

  /** Other settings from now on; what was counted stays. */
  tune(settings: LoopSettings): void {
    this.#settings = settings;
  }

  /** Why this call should be asked about: it was made `repeats` times within the window before `now`. */
  check(pid: number, digest: string, now: number): string | undefined {
    const times = this.#times.get(`${pid} ${digest}`) ?? [];
    const recent = times.filter((at) => at > now - this.#settings.windowMs).length;
    if (recent < this.#settings.repeats) return undefined;
    return `The same call was made ${recent} times within ${Math.round(this.#settings.windowMs / 1000)} s: it may be a loop.`;
  }

  record(pid: number, digest: string, now: number): void {
    const call = `${pid} ${digest}`;
    const times = [...(this.#times.get(call) ?? []), now].slice(-this.#settings.repeats);
    this.#times.delete(call);
    this.#times.set(call, times);
    if (this.#times.size > LIMITS.loopCalls.value)
      this.#times.delete(this.#times.keys().next().value as string);
  }
}
