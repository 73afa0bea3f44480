/** The loop guard: the same agent making the very same call again and again. In memory only: a restart ends a loop too. */
import { LIMITS } from './limits.ts';

export class Loops {
  readonly #repeats: number;
  readonly #windowMs: number;
  /** When each call was made, newest last, at most `repeats` times; the calls in order of their last time. */
  readonly #times = new Map<string, number[]>();

  constructor(options: { readonly repeats: number; readonly windowMs: number }) {
    this.#repeats = options.repeats;
    this.#windowMs = options.windowMs;
  }

  /** Why this call should be asked about: it was made `repeats` times within the window before `now`. */
  check(pid: number, digest: string, now: number): string | undefined {
    const times = this.#times.get(`${pid} ${digest}`) ?? [];
    const recent = times.filter((at) => at > now - this.#windowMs).length;
    if (recent < this.#repeats) return undefined;
    return `The same call was made ${recent} times within ${Math.round(this.#windowMs / 1000)} s: it may be a loop.`;
  }

  record(pid: number, digest: string, now: number): void {
    const call = `${pid} ${digest}`;
    const times = [...(this.#times.get(call) ?? []), now].slice(-this.#repeats);
    this.#times.delete(call);
    this.#times.set(call, times);
    if (this.#times.size > LIMITS.loopCalls.value)
      this.#times.delete(this.#times.keys().next().value as string);
  }
}
