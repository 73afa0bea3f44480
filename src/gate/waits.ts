/**
 * The one table of waits. Whatever a call waits for - a slot, a person, a budget, a pause - it has one row here, with
 * a name that `mezz why` shows and a deadline that this table alone enforces. Waking means: enter again at decide.
 */
import type { Clock } from '../base/clock.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import type { CallId, Pid } from '../base/ids.ts';
import { LIMITS } from './limits.ts';

export type WaitReason = 'slot' | 'lock' | 'approval' | 'pause' | 'limit';

export interface Wait {
  readonly call: CallId;
  readonly agent: Pid;
  readonly kind: string;
  readonly reason: WaitReason;
  /** What exactly: a backend, a tool's key, an approval's id, the pid of the paused agent, an account and a model. */
  readonly resource: string;
  /** When the call came, and since when it waits for this. */
  readonly arrivedAt: number;
  readonly since: number;
  readonly deadlineAt: number;
}

export type Woken = { readonly kind: 'again' } | { readonly kind: 'refuse'; readonly refusal: Refusal };

interface Row extends Wait {
  wake(result: Woken): void;
}

export class Waits {
  readonly #clock: Clock;
  readonly #rows = new Map<CallId, Row>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Parks a call until it is woken, its client leaves or its deadline passes. `onDeadline` words the refusal. */
  park(wait: Wait, signal: AbortSignal | undefined, onDeadline: () => Refusal): Promise<Woken> {
    if (this.#rows.size >= LIMITS.waits.value) {
      return Promise.resolve({
        kind: 'refuse',
        refusal: refusal('busy', 'Too many calls wait at the gate.', {
          rule: 'limit:gate.waits',
          retryAfterMs: 5000,
        }),
      });
    }
    return new Promise((resolve) => {
      const leave = () => row.wake({ kind: 'refuse', refusal: CLIENT_LEFT });
      const row: Row = {
        ...wait,
        wake: (result) => {
          if (!this.#rows.delete(wait.call)) return;
          cancelTimer();
          signal?.removeEventListener('abort', leave);
          resolve(result);
        },
      };
      this.#rows.set(wait.call, row);
      const cancelTimer = this.#clock.after(wait.deadlineAt - this.#clock.now(), () =>
        row.wake({ kind: 'refuse', refusal: onDeadline() }),
      );
      if (signal?.aborted) leave();
      else signal?.addEventListener('abort', leave, { once: true });
    });
  }

  wake(call: CallId, result: Woken = { kind: 'again' }): void {
    this.#rows.get(call)?.wake(result);
  }

  /** Wakes all that wait for one thing. */
  wakeAll(reason: WaitReason, resource: string): void {
    for (const row of [...this.#rows.values()]) {
      if (row.reason === reason && row.resource === resource) row.wake({ kind: 'again' });
    }
  }

  /** Wakes every wait of these agents: their state changed, so each must be decided again. */
  wakeAgents(agents: ReadonlySet<number>): void {
    for (const row of [...this.#rows.values()]) if (agents.has(row.agent)) row.wake({ kind: 'again' });
  }

  get(call: CallId): Wait | undefined {
    return this.#rows.get(call);
  }

  all(): Iterable<Wait> {
    return this.#rows.values();
  }

  get size(): number {
    return this.#rows.size;
  }
}

export const CLIENT_LEFT: Refusal = refusal(
  'cancelled',
  'The client closed its connection while the call waited.',
);
