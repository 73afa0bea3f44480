/** Stage fit: could the call ever fit the budgets? If not it is refused at once and the agent is paused, resumable. */
import { chargeOf } from './charge.ts';
import { pausedBy } from './exhausted.ts';
import { type Flight, go, refuse, type Stage } from './flight.ts';
import type { Parts } from './parts.ts';

const askingOf = ({ accounts, chain, agent }: Flight) => ({
  accounts,
  names: chain.map(({ name }) => name),
  owner: agent.owner,
});

export function fit(parts: Parts, flight: Flight): Stage<void> {
  const at = flight.granted ?? flight.candidates[0];
  const charge = chargeOf(parts, flight, at);
  if ('code' in charge) return refuse(charge);
  flight.charged = { at, charge };
  const now = parts.clock.now();
  const refused = parts.ledger.fits(charge, now) ?? parts.reserves.refusal(askingOf(flight), now);
  return refused ? refuse(pausedBy(parts, flight, refused)) : go(undefined);
}
