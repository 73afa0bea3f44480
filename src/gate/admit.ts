/** Stage reserve: takes the budget for the call, in the same step that follows the epoch check. */
import type { Refusal } from '../base/errors.ts';
import { chargeOf } from './charge.ts';
import { type Flight, go, refuse, type Stage } from './flight.ts';
import { LIMITS } from './limits.ts';
import type { Parts } from './parts.ts';

export function reserve(parts: Parts, flight: Flight): Stage<void> {
  const at = flight.granted ?? flight.candidates[0];
  const { charged } = flight;
  const charge = charged && charged.at === at ? charged.charge : chargeOf(parts, flight, at);
  if ('code' in charge) return refuse(charge);
  const reserved = parts.ledger.reserve(flight.call.id, charge, parts.clock.now());
  if ('code' in reserved) return refuse(reserved.code === 'over_budget' ? held(reserved) : reserved);
  flight.reserved = reserved;
  return go(undefined);
}

/** The call fits, but for what calls in flight hold: nothing is exhausted, and it may pass when they have ended. */
const held = (why: Refusal): Refusal => ({ ...why, code: 'busy', retryAfterMs: LIMITS.heldRetryMs.value });
