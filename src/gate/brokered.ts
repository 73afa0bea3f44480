/** Tool calls that mezz performs itself, at a tool server: their END is known here, and the locks go with it. */
import { type Refusal, refusal } from '../base/errors.ts';
import type { ToolCall, ToolOutcome } from '../base/syscall.ts';
import type { Ticket } from '../base/ticket.ts';
import { keepAfter } from './changes.ts';
import type { Flight } from './flight.ts';
import { asUse } from './locking.ts';
import type { Parts } from './parts.ts';
import { RESTORER, restoreFile } from './restore.ts';

/** Under the locks of the call, which END gives back. */
export async function callServer(
  parts: Parts,
  flight: Flight,
  call: ToolCall,
  ticket: Ticket,
): Promise<ToolOutcome | Refusal> {
  if (call.server === RESTORER) return restoreFile(parts, flight, call, ticket);
  const server = parts.servers.get(call.server);
  if (!server) return refusal('not_found', `There is no tool server "${call.server}".`);
  const leave = () => flight.killer.abort(new Error('the client left'));
  if (!flight.outlives) flight.signal?.addEventListener('abort', leave, { once: true });
  parts.broker.started(asUse(flight));
  const { timeoutMs } = call.manifest ?? {};
  const tooLong = () => flight.killer.abort(new Error('it ran longer than its manifest lets it'));
  const stopClock = timeoutMs === undefined ? () => {} : parts.clock.after(timeoutMs, tooLong);
  const answer = await server.call(ticket, call.tool, call.input, flight.killer.signal);
  stopClock();
  flight.signal?.removeEventListener('abort', leave);
  await keepAfter(parts, flight.call.id, (await parts.broker.ended(flight.call.id)) ?? []);
  return answer.kind === 'broken' ? answer.refusal : answer;
}
