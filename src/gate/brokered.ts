/** Tool calls that mezz performs itself, at a tool server: their END is known here, and the locks go with it. */
import { type Refusal, refusal } from '../base/errors.ts';
import type { ToolAnswer } from '../base/ports.ts';
import { type ToolCall, type ToolOutcome, WITHDRAWN } from '../base/syscall.ts';
import type { Ticket } from '../base/ticket.ts';
import type { How } from '../tools/broker.ts';
import { callsAt } from '../tools/rates.ts';
import { OWN } from '../tools/shorten.ts';
import { keepAfter } from './changes.ts';
import type { Flight } from './flight.ts';
import { asUse } from './locking.ts';
import type { Parts } from './parts.ts';
import { RESTORE_FILE, restoreFile } from './restore.ts';
import { showResult } from './results.ts';

/** Under the locks of the call, which END gives back. */
export async function callServer(
  parts: Parts,
  flight: Flight,
  call: ToolCall,
  ticket: Ticket,
): Promise<ToolOutcome | Refusal> {
  if (call.server === OWN && call.tool === RESTORE_FILE) return restoreFile(parts, flight, call, ticket);
  const server = parts.servers.get(call.server);
  if (!server) return refusal('not_found', `There is no tool server "${call.server}".`);
  const leave = () => {
    // That its connection broke is not the client's word that it wants the call no more.
    if (!flight.outlives || flight.signal?.reason === WITHDRAWN)
      flight.killer.abort(new Error('the client left'));
  };
  flight.signal?.addEventListener('abort', leave, { once: true });
  parts.broker.started(asUse(flight));
  const { timeoutMs } = call.manifest ?? {};
  const tooLong = () => flight.killer.abort(new Error('it ran longer than its manifest lets it'));
  const stopClock = timeoutMs === undefined ? () => {} : parts.clock.after(timeoutMs, tooLong);
  const { request } = call;
  const { signal } = flight.killer;
  const answer =
    request && request.method !== 'tools/call'
      ? ((await server.ask?.(ticket, request, signal)) ?? offersNone(call.server, request.method))
      : await server.call(ticket, call.tool, call.input, signal, request);
  stopClock();
  flight.signal?.removeEventListener('abort', leave);
  await keepAfter(parts, flight.call.id, (await parts.broker.ended(flight.call.id, howOf(answer))) ?? []);
  if (answer.kind === 'called') return showResult(parts, flight, answer);
  if (answer.restMs !== undefined) parts.broker.rates.shut(callsAt(call.server), answer.restMs);
  return answer.refusal;
}

function howOf(answer: ToolAnswer): How {
  if (answer.kind === 'broken') return answer.refusal.code === 'in_doubt' ? 'unknown' : 'failed';
  return answer.isError ? 'failed' : 'done';
}

const offersNone = (server: string, method: string): ToolAnswer => ({
  kind: 'broken',
  refusal: refusal('not_found', `The tool server ${server} serves no ${method}.`),
});
