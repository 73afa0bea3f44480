/** Runs a scheduling policy for the host; a policy that throws is replaced by first come, first served at once. */
import { fifo } from './policies/fifo.ts';
import type { Policy, PolicyCall, PolicyConfig, PolicyEvent } from './policy.ts';

export class Order {
  #policy: Policy<unknown>;
  #state: unknown;
  /** Why the policy was replaced, if it was. */
  fault: string | undefined;

  /** Starts the policy and tells it what has happened so far. */
  constructor(policy: Policy<unknown>, config: PolicyConfig, history: readonly PolicyEvent[]) {
    this.#policy = policy;
    this.#guard(() => {
      this.#state = policy.start(config);
      for (const event of history) this.#state = policy.event(this.#state, event);
    });
  }

  get name(): string {
    return this.#policy.name;
  }

  /** Do keys depend on the call alone? */
  get isFixed(): boolean {
    return this.#policy.fixed === true;
  }

  tell(event: PolicyEvent): void {
    this.#guard(() => {
      this.#state = this.#policy.event(this.#state, event);
    });
  }

  keyOf(call: PolicyCall): readonly number[] {
    return this.#guard(() => this.#policy.key(this.#state, call)) ?? fifo.key(null, call);
  }

  reasonsFor(call: PolicyCall): string[] {
    const reasons = this.#guard(() => this.#policy.reasons(this.#state, call)) ?? fifo.reasons(null, call);
    return this.fault === undefined ? reasons : [...reasons, this.fault];
  }

  #guard<T>(ask: () => T): T | undefined {
    try {
      return ask();
    } catch (error) {
      this.fault = `the policy ${this.#policy.name} failed and was replaced: ${String(error)}`;
      this.#policy = fifo;
      this.#state = null;
      return undefined;
    }
  }
}
