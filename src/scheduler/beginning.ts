/** What a policy that is put in charge is told first: what happened lately, and every call that runs or waits. */
import { type PolicyEvent, plainCall } from './policy.ts';
import type { Running } from './preemption.ts';
import type { Queue } from './queue.ts';

/** The events since the log begins, and before them those of the calls whose arrival it does not hold. */
export function eventsSoFar(
  log: readonly PolicyEvent[],
  running: ReadonlyMap<string, Running>,
  queue: Queue,
): PolicyEvent[] {
  const known = new Set(log.flatMap((event) => (event.kind === 'arrived' ? event.call.call : [])));
  const events: PolicyEvent[] = [];
  for (const { waiting, told, resource, startedAt } of running.values()) {
    if (known.has(waiting.call)) continue;
    events.push({ kind: 'arrived', at: waiting.arrivedAt, call: told });
    events.push({ kind: 'started', at: startedAt, call: told, resource: resource.name });
  }
  for (const { waiting } of queue.values())
    if (!known.has(waiting.call) && !running.has(waiting.call))
      events.push({ kind: 'arrived', at: waiting.arrivedAt, call: plainCall(waiting) });
  return [...events, ...log];
}
