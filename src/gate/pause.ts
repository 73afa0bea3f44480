/**
 * Pause: an agent's turn stops before its next model or tool call (level G1), and what runs stops between two tokens where
 * its backend can (G5); elsewhere it is left to end. Paused is a row, so it survives a restart of the kernel; what arrives
 * waits with its connection open, bytes untouched.
 */
import { refusal } from '../base/errors.ts';
import type { Pid } from '../base/ids.ts';
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

/** What holds these agents back has changed: what runs of theirs stops, or goes on, where its backend can do that. */
export function settleRunning(flights: Iterable<Flight>, agents: ReadonlySet<Pid>): void {
  for (const { chain, suspension } of flights) {
    if (!suspension || !chain.some(({ pid }) => agents.has(pid))) continue;
    if (chain.some(({ hold }) => hold === 'paused')) suspension.pause();
    else suspension.resume();
  }
}
