/**
 * The service each turn has had, in virtual tokens, and whether its prefix is still cached: what policies by attained or
 * expected service, and the host's own history, keep in mind. Told of events in their order.
 */
import { Recent } from '../base/recent.ts';
import { costOf, ENGINE, type Terms } from './cost.ts';
import { LIMITS } from './limits.ts';
import type { PolicyCall, PolicyConfig, PolicyEvent } from './policy.ts';

interface Turn {
  /** Service of calls that ended, and of those that run as far as it is known. */
  attained: number;
  readonly running: Map<string, { readonly cold: boolean; readonly terms: Terms; served: number }>;
}
/** What a conversation has in a cache: a turn has one, and one for each of its sub-agents. */
interface Prefix {
  /** Tokens of the conversation after its last call. */
  context: number;
  /** Of the backend that served it last. */
  terms: Terms;
  /** Where it is cached, as far as is known. */
  cachedAt: string | undefined;
}

export class Attained {
  readonly #turns = new Recent<string, Turn>(LIMITS.turns.value);
  readonly #prefixes = new Recent<string, Prefix>(LIMITS.turns.value);
  #terms = new Map<string, Terms>();

  constructor(config: PolicyConfig) {
    this.tune(config);
  }

  tune({ resources }: PolicyConfig): void {
    this.#terms = new Map(resources.map((resource) => [resource.name, resource]));
  }

  /** Virtual tokens that the turn of this call has had. */
  of(call: PolicyCall): number {
    return this.#turns.get(turnOf(call))?.attained ?? 0;
  }

  /** Virtual tokens it would take to compute again what was cached of its conversation and is no more; 0 if nothing was. */
  reloadOf(call: PolicyCall): number {
    const prefix = this.#prefixes.get(threadOf(call));
    return prefix && prefix.cachedAt === undefined ? costOf(prefix.terms, prefix.context, 0) : 0;
  }

  /** Virtual tokens that this call is known to need of its turn's service; 0 where nothing is known. */
  nextOf(call: PolicyCall): number {
    const { freshTokens, outTokens } = call;
    return freshTokens === undefined ? 0 : costOf(this.#termsAt(call), freshTokens, outTokens);
  }

  /** Virtual tokens that serving this call soon saves: its cached prefix would have to be computed again. */
  savedBy(call: PolicyCall): number {
    const { expiringTokens = 0 } = call;
    return expiringTokens === 0 ? 0 : costOf(this.#termsAt(call), expiringTokens, 0);
  }

  #termsAt = ({ resources }: PolicyCall): Terms => this.#terms.get(resources?.[0] ?? '') ?? ENGINE;

  /** Takes in an event; for one that ends a turn, the service that all of it had. */
  event(event: PolicyEvent): number | undefined {
    if (event.kind === 'tuned') this.tune(event.config);
    else if (event.kind === 'started') this.#started(event.call, event.resource);
    else if (event.kind === 'served') this.#served(event.call, event.tokens);
    else if (event.kind === 'evicted') this.#evicted(event.call, event.resource);
    else if (event.kind === 'ended') return this.#ended(event);
    return undefined;
  }

  #started(call: PolicyCall, resource: string): void {
    // A tool call moves no tokens: it is no part of the turn's service, and leaves its cache as it is.
    if (call.inTokens + call.outTokens === 0) return;
    const terms = this.#terms.get(resource) ?? ENGINE;
    const turn = this.#turns.get(turnOf(call)) ?? { attained: 0, running: new Map() };
    this.#turns.set(turnOf(call), turn);
    const prefix = this.#prefixes.get(threadOf(call));
    const cold = prefix !== undefined && prefix.cachedAt !== resource;
    turn.running.set(call.call, { cold, terms, served: 0 });
    this.#prefixes.set(threadOf(call), { context: prefix?.context ?? 0, terms, cachedAt: resource });
  }

  #served(call: PolicyCall, tokens: number): void {
    const turn = this.#turns.get(turnOf(call));
    const running = turn?.running.get(call.call);
    if (!turn || !running || tokens <= running.served) return;
    turn.attained += tokens - running.served;
    running.served = tokens;
  }

  #evicted(call: PolicyCall, resource: string): void {
    const prefix = this.#prefixes.get(threadOf(call));
    if (prefix?.cachedAt === resource) prefix.cachedAt = undefined;
  }

  #ended({ call, used }: Extract<PolicyEvent, { kind: 'ended' }>): number | undefined {
    const id = turnOf(call);
    const turn = this.#turns.get(id);
    const running = turn?.running.get(call.call);
    if (!turn || !running) return undefined;
    turn.running.delete(call.call);
    const prefix = this.#prefixes.get(threadOf(call));
    if (used) {
      const total = used.input + used.cached;
      // What was only computed again is no progress of the turn.
      const fresh = running.cold ? Math.max(0, total - (prefix?.context ?? 0)) : used.input;
      const cost = costOf(running.terms, Math.min(fresh, used.input), used.output);
      turn.attained += Math.max(0, cost - running.served);
      if (prefix) prefix.context = total + used.output;
    }
    const isOver = call.turn === undefined || used?.endsTurn === true;
    if (!isOver || turn.running.size > 0) return undefined;
    this.#turns.delete(id);
    this.#prefixes.delete(threadOf(call));
    return used && turn.attained;
  }
}

/** A call that belongs to no turn is one by itself. */
export const turnOf = ({ turn, call }: PolicyCall): string => turn ?? call;
/** The conversation it extends: its turn's own, unless it says otherwise. */
export const threadOf = (call: PolicyCall): string => call.thread ?? turnOf(call);
