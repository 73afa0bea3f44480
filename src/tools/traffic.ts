/**
 * What each tool server can bear while it only fails: none. Invariant: of a server that failed
 * so often in a row one call at a time finds out whether it is back, after a pause that grows.
 */
import type { Clock } from '../base/clock.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { LIMITS } from './limits.ts';

/** `none`: nothing is known of the server itself. */
export type Sign = 'answered' | 'failed' | 'none';

export interface Health {
  /** Calls in a row that got no answer. */
  readonly failures: number;
  /** Until when no call is let through; undefined where all are. */
  readonly shutUntil: number | undefined;
  /** Calls refused because of that. */
  readonly refused: number;
}

interface State {
  failures: number;
  shutUntil: number;
  /** A call finds out just now whether the server is back. */
  isProbed: boolean;
  refused: number;
}

export class Traffic {
  readonly #clock: Clock;
  readonly #states = new Map<string, State>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Why no call may go there now; undefined lets one go, whose end must be told. */
  enter(server: string): Refusal | undefined {
    const state = this.#of(server);
    const refused = this.#shut(server, state);
    if (refused) state.refused++;
    else if (state.failures >= LIMITS.failuresInRow.value) state.isProbed = true;
    return refused;
  }

  /** A call that was let through has ended. */
  left(server: string, sign: Sign): void {
    const state = this.#of(server);
    state.isProbed = false;
    if (sign === 'answered') state.failures = 0;
    if (sign !== 'failed') return;
    state.failures++;
    const extra = state.failures - LIMITS.failuresInRow.value;
    if (extra < 0) return;
    const pauseMs = LIMITS.firstShutMs.value * 2 ** Math.min(extra, 16);
    state.shutUntil = this.#clock.now() + Math.min(pauseMs, LIMITS.longestShutMs.value);
  }

  health(server: string): Health {
    const { failures = 0, shutUntil = 0, refused = 0 } = this.#states.get(server) ?? {};
    return { failures, refused, shutUntil: shutUntil > this.#clock.now() ? shutUntil : undefined };
  }

  #shut(server: string, { failures, shutUntil, isProbed }: State): Refusal | undefined {
    const waitMs = shutUntil - this.#clock.now();
    if (failures < LIMITS.failuresInRow.value || (waitMs <= 0 && !isProbed)) return undefined;
    return refusal('unreachable', `${failures} calls in a row got no answer from ${server}: none is sent.`, {
      rule: 'limit:tools.failuresInRow',
      retryAfterMs: Math.max(1000, waitMs),
      remedy: `an operator looks: mezz tool logs ${server}`,
    });
  }

  #of(server: string): State {
    const known = this.#states.get(server);
    if (known) return known;
    const state = { failures: 0, shutUntil: 0, isProbed: false, refused: 0 };
    this.#states.set(server, state);
    return state;
  }
}
