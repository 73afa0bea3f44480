/** Weighted fair shares between owners; within an owner first come, first served. The bound is stated in shares.ts. */
import type { Policy } from '../policy.ts';
import { Shares } from '../shares.ts';

export const fair: Policy<Shares> = {
  name: 'fair',
  text: 'the owner who was served least for its weight goes first',
  shared: { by: 'owner', parts: 1 },
  start: (config) => new Shares(config),
  event: (shares, event) => {
    shares.event(event);
    return shares;
  },
  key: (shares, call) => [shares.of(call), call.arrivedAt],
  reasons: (shares, call) => [shareReason(shares, call)],
};

/** The debt of a call's owner in words. */
export function shareReason(shares: Shares, call: Parameters<Shares['aheadOf']>[0]): string {
  const ahead = Math.round(shares.aheadOf(call));
  const weight = shares.weightOf(call.owner);
  const share = weight === 1 ? '' : ` (weight ${weight})`;
  return ahead === 0
    ? `no owner was served less than ${call.owner}${share}`
    : `owner ${call.owner}${share} was served ${ahead} virtual tokens more than the one furthest behind`;
}
