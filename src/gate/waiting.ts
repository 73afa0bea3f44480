/** What a client hears of its call while it waits: that it does, what for, and behind whom. */
import type { Flight } from './flight.ts';
import { LIMITS } from './limits.ts';
import { blockedBy, tellObstacle } from './locking.ts';
import type { Parts } from './parts.ts';
import type { WaitReason } from './waits.ts';

/**
 * Sends progress now and then until the result is called. Progress must grow over the whole call, and what its server
 * tells later begins at 0: so it is counted towards 0 from below.
 */
export function tellWaiting(parts: Parts, flight: Flight, reason: WaitReason, resource: string): () => void {
  const { payload, id } = flight.call;
  const asking = 'request' in payload ? payload.request?.asking : undefined;
  if (!asking?.wantsProgress) return () => {};
  const tell = () => {
    const [first] = reason === 'lock' ? blockedBy(parts, id) : [];
    const message = first ? tellObstacle(parts, first) : `waits for ${reason} ${resource}`;
    const progress = -1 / ++flight.beats;
    asking.told('notifications/progress', { progressToken: id, progress, message });
    stop = parts.clock.after(LIMITS.progressMs.value, tell);
  };
  let stop = parts.clock.after(LIMITS.progressMs.value, tell);
  return () => stop();
}
