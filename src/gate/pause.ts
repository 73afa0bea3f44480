/**
 * Pause at level G1: an agent's turn stops before its next model or tool call. Paused is a row, so it survives a
 * restart of the kernel; what runs is left to end, what arrives waits with its connection open, bytes untouched.
 */
import { refusal } from '../base/errors.ts';
import { type Flight, go, type Stage } from './flight.ts';

/** The nearest paused agent of the chain holds the call back. */
export function checkPause(flight: Flight): Stage<void> {
  const paused = flight.chain.find((agent) => agent.hold === 'paused');
  if (!paused) return go(undefined);
  return {
    kind: 'wait',
    reason: 'pause',
    resource: String(paused.pid),
    onDeadline: () =>
      refusal('busy', `Agent ${paused.name} is paused${paused.holdWhy ? ` (${paused.holdWhy})` : ''}.`, {
        remedy: `mezz resume ${paused.name}`,
        retryAfterMs: 30_000,
      }),
  };
}
