/**
 * Runs a scheduling policy for the host and holds it to its contract; one that throws or breaks it is replaced at once
 * by the policy before it, and that by first come, first served.
 */
import { LIMITS } from './limits.ts';
import { fifo } from './policies/fifo.ts';
import type { Policy, PolicyCall, PolicyConfig, PolicyEvent } from './policy.ts';

/** What a policy is started with: the settings, and the events of all calls that run or wait. */
export interface Beginning {
  readonly config: PolicyConfig;
  readonly events: readonly PolicyEvent[];
}

export class Order {
  #policy: Policy<unknown>;
  #state: unknown;
  readonly #begin: () => Beginning;
  /** Which stands in if this one fails. */
  readonly previous: Policy<unknown>;
  /** Why the policy was replaced, if it was. */
  fault: string | undefined;

  /** Starts the policy and tells it what has happened so far; `begin` says that, then and whenever one is replaced. */
  constructor(policy: Policy<unknown>, begin: () => Beginning, previous: Policy<unknown> = fifo) {
    this.#policy = policy;
    this.previous = previous;
    this.#begin = begin;
    this.#start();
  }

  get policy(): Policy<unknown> {
    return this.#policy;
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
    return this.#guard(() => checkKey(this.#policy, this.#policy.key(this.#state, call)));
  }

  reasonsFor(call: PolicyCall): string[] {
    const reasons = this.#guard(() => checkReasons(this.#policy.reasons(this.#state, call)));
    return this.fault === undefined ? reasons : [...reasons, this.fault];
  }

  #start(): void {
    this.#guard(() => {
      const { config, events } = this.#begin();
      this.#state = this.#policy.start(config);
      for (const event of events) this.#state = this.#policy.event(this.#state, event);
    });
  }

  /** Asks the policy in charge; if that fails, the one that replaces it. */
  #guard<T>(ask: () => T): T {
    try {
      return ask();
    } catch (error) {
      const failed = this.#policy;
      if (failed === fifo) throw error;
      this.#policy = failed === this.previous ? fifo : this.previous;
      const why = error instanceof Error ? error.message : String(error);
      this.fault = `the policy ${failed.name} failed and was replaced by ${this.#policy.name}: ${why}`;
      this.#start();
      return this.#guard(ask);
    }
  }
}

function checkKey({ shared }: Policy<unknown>, key: readonly number[]): readonly number[] {
  const isKey =
    Array.isArray(key) &&
    key.length > (shared?.parts ?? 0) &&
    key.length <= LIMITS.keyParts.value &&
    key.every((part) => typeof part === 'number' && !Number.isNaN(part));
  if (!isKey) throw new TypeError(`its key is no list of numbers: ${String(key)}`);
  return key;
}

function checkReasons(reasons: readonly string[]): string[] {
  if (!Array.isArray(reasons) || reasons.some((reason) => typeof reason !== 'string'))
    throw new TypeError('its reasons are no list of texts');
  return reasons.slice(0, LIMITS.reasons.value).map((reason) => reason.slice(0, LIMITS.reasonText.value));
}
