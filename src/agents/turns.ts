/**
 * Turns: what the literature calls a program - the calls from one user input to the final answer. Recognised by the
 * canonical message chain: a request whose chain extends a conversation's last one continues it; a user message at
 * its end begins a new turn, a tool result does not. Interleaved conversations of one agent are told apart by it.
 */
import type { TurnId } from '../base/ids.ts';
import { LIMITS } from './limits.ts';

interface Conversation {
  /** Canonical id after the last message of the last request. */
  head: string;
  turn: TurnId;
}

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
  readonly #byAgent = new Map<number, Conversation[]>();

  /** The turn of a request; `newId` names a new one. The same request again (a retry) stays in its turn. */
  recognise(input: TurnInput, newId: () => TurnId): Turn {
    const known = this.#byAgent.get(input.agent) ?? [];
    if (!this.#byAgent.has(input.agent)) this.#byAgent.set(input.agent, known);
    const last = input.canonical[input.canonical.length - 1] ?? '';
    const at = this.#findLongest(known, input.canonical);
    const conversation = at === -1 ? undefined : (known[at] as Conversation);
    if (conversation && (conversation.head === last || !input.lastIsUser)) {
      conversation.head = last;
      this.#touch(known, at);
      return { id: conversation.turn, isNew: false };
    }
    const turn = newId();
    if (conversation) {
      conversation.head = last;
      conversation.turn = turn;
      this.#touch(known, at);
    } else {
      known.push({ head: last, turn });
      if (known.length > LIMITS.conversationsPerAgent.value) known.shift();
    }
    return { id: turn, isNew: true };
  }

  forget(agent: number): void {
    this.#byAgent.delete(agent);
  }

  /** The conversation whose head lies furthest along this chain, or -1. */
  #findLongest(known: readonly Conversation[], canonical: readonly string[]): number {
    if (known.length === 0) return -1;
    const heads = new Map(known.map((conversation, index) => [conversation.head, index]));
    for (let i = canonical.length - 1; i >= 0; i--) {
      const index = heads.get(canonical[i] as string);
      if (index !== undefined) return index;
    }
    return -1;
  }

  /** Most recently used last: the oldest is forgotten first. */
  #touch(known: Conversation[], at: number): void {
    const [conversation] = known.splice(at, 1);
    if (conversation) known.push(conversation);
  }
}
