/** What a call will cost at most, and probably: the proven bound for strict limits, the learned estimate for others. */

import { type Refusal, refusal } from '../base/errors.ts';
import type { Payloads, SyscallKind } from '../base/syscall.ts';
import { NANO_PER_USD, NO_USAGE, type Usage } from '../base/usage.ts';
import { proveBound } from '../budget/estimate.ts';
import type { Bound, Charge } from '../budget/ledger.ts';
import type { Candidate } from './catalog.ts';
import { type Flight, scopesOf } from './flight.ts';
import type { Parts } from './parts.ts';
import { SYSCALLS } from './syscalls.ts';

/** What a tool's manifest says that a sending costs. */
const toolCost = (payload: Payloads[SyscallKind]): number =>
  'manifest' in payload ? Math.round((payload.manifest?.costUsd ?? 0) * NANO_PER_USD) : 0;

const ONE_REQUEST: Bound = { usd: 0, tokens: 0, output: 0, requests: 1 };
const NO_REQUEST: Bound = { ...ONE_REQUEST, requests: 0 };

/** Nothing is charged per token: an own model, or a plan, whose windows are watched instead. */
const isFree = ({ login }: Flight, { credential }: Candidate): boolean =>
  credential === 'local' || (credential === 'client' && login?.kind === 'subscription');

/** What tokens cost the account there, in nano-dollars; undefined where the price is not known. */
export function costAt(parts: Parts, flight: Flight, candidate: Candidate, usage: Usage): number | undefined {
  return isFree(flight, candidate) ? 0 : parts.prices.costOf(candidate.upstreamModel, usage);
}

export function chargeOf(parts: Parts, flight: Flight, candidate: Candidate | undefined): Charge | Refusal {
  flight.accounts = candidate ? parts.accounts.chain(candidate.account) : [];
  const scopes = scopesOf(flight.chain, flight.agent.owner, flight.accounts);
  const payload = flight.call.payload;
  if (flight.isJoined) return { scopes, bound: NO_REQUEST, estimate: NO_REQUEST };
  if (!SYSCALLS[flight.call.kind].charged || !('facts' in payload) || !candidate) {
    const priced = { ...ONE_REQUEST, usd: toolCost(payload) };
    return { scopes, bound: priced, estimate: priced };
  }
  const { facts, decoded } = payload;
  const free = isFree(flight, candidate);
  const price = free ? 'free' : parts.prices.priceOf(candidate.upstreamModel);
  if (price === undefined) {
    return refusal('price_unknown', `The price of "${candidate.upstreamModel}" is not known.`, {
      remedy: `give it one in mezz.yaml, in USD per million tokens: models: { '${candidate.upstreamModel}': { backends: [${candidate.backend.id}], price: { input: 1, output: 5 } } }`,
    });
  }
  const priced = (tokensIn: number, tokensOut: number): Bound => ({
    usd: costAt(parts, flight, candidate, { ...NO_USAGE, input: tokensIn, output: tokensOut }) ?? 0,
    tokens: tokensIn + tokensOut,
    output: tokensOut,
    requests: 1,
  });
  // A translated request is another text than the one that was measured: nothing is proven of it.
  const proven =
    candidate.dialect === payload.dialect
      ? proveBound(decoded.length, facts.maxOutput, facts.choices)
      : undefined;
  const guess = parts.estimator.estimate(
    candidate.upstreamModel,
    flight.agent.client,
    decoded.length,
    facts.maxOutput,
  );
  return {
    scopes,
    bound: proven && {
      ...priced(proven.tokensIn, proven.tokensOut),
      // Whatever the provider may call these tokens: cache writes cost more than plain input.
      usd: free ? 0 : (parts.prices.boundOf(candidate.upstreamModel, proven.tokensIn, proven.tokensOut) ?? 0),
    },
    estimate: priced(guess.tokensIn, guess.tokensOut),
  };
}
