/**
 * Turns: what the literature calls a program - the calls from one user input to the final answer. Recognised by the
 * canonical message chain: a request whose chain extends a conversation's last one continues it; a user message at
 * its end begins a new turn, a tool result does not. Interleaved conversations of one agent are told apart by it.
 */
import type { TurnId } from '../base/ids.ts';
import { Recent } from '../base/recent.ts';
import { LIMITS } from './limits.ts';

export interface TurnInput {
  readonly agent: number;
  /** Canonical chain id after each message, in order. */
  readonly canonical: readonly string[];
  readonly lastIsUser: boolean;
}

export interface Turn {
  readonly id: TurnId;
  readonly isNew: boolean;
}

export class Turns {
  /** Per agent the turn of each conversation, by the canonical id after its last request. */
  readonly #byAgent = new Map<number, Recent<string, TurnId>>();
  readonly #latest = new Map<number, TurnId>();

  /** The turn that an agent is in: that of its latest request. */
  current(agent: number): TurnId | undefined {
    return this.#latest.get(agent);
  }

  /** The turn of a request; `newId` names a new one. The same request again (a retry) stays in its turn. */
  recognise(input: TurnInput, newId: () => TurnId): Turn {
    const known = this.#byAgent.get(input.agent) ?? new Recent(LIMITS.conversationsPerAgent.value);
    this.#byAgent.set(input.agent, known);
    const last = input.canonical[input.canonical.length - 1] ?? '';
    // The conversation whose head lies furthest along this chain.
    const head = input.canonical.findLast((id) => known.has(id));
    const old = head === undefined ? undefined : known.get(head);
    const goesOn = old !== undefined && (head === last || !input.lastIsUser);
    const turn = goesOn ? old : newId();
    if (head !== undefined) known.delete(head);
    known.set(last, turn);
    this.#latest.set(input.agent, turn);
    return { id: turn, isNew: !goesOn };
  }

  forget(agent: number): void {
    this.#byAgent.delete(agent);
    this.#latest.delete(agent);
  }
}
