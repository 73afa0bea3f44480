/** Stage reserve: takes the budget for the call, in the same step that follows the epoch check. */
import { chargeOf } from './charge.ts';
import { pausedBy } from './fit.ts';
import { type Flight, go, refuse, type Stage } from './flight.ts';
import type { Parts } from './parts.ts';

export function reserve(parts: Parts, flight: Flight): Stage<void> {
  const charge = chargeOf(parts, flight, flight.granted ?? flight.candidates[0]);
  if ('code' in charge) return refuse(charge);
  const reserved = parts.ledger.reserve(flight.call.id, charge, parts.clock.now());
  if ('code' in reserved) return refuse(pausedBy(flight, reserved));
  flight.reserved = reserved;
  return go(undefined);
}
