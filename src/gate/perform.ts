/**
 * Stage perform: hands the ticket and the call, as transform.ts prepared it, to the driver. `heard` gets the headers of the
 * answer as soon as they come.
 */
import { assert } from '../base/assert.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import type { ResponseSink } from '../base/model.ts';
import type { ModelBackend } from '../base/ports.ts';
import type { Outcomes, SyscallKind } from '../base/syscall.ts';
import type { Ticket } from '../base/ticket.ts';
import { callServer } from './brokered.ts';
import type { Flight } from './flight.ts';
import { handOver } from './locking.ts';
import type { Parts } from './parts.ts';
import { Suspension, type Told } from './suspension.ts';

/** A pause may have come while START was written. */
function makeSuspendable(parts: Parts, flight: Flight, backend: ModelBackend, sink: ResponseSink): void {
  const { id } = flight.call;
  const handle = backend.suspendable?.(id);
  flight.suspension = undefined;
  if (!handle) return;
  const told: Told = {
    step: (now, stage, detail) => flight.step(now, stage, detail),
    waits: (isWaiting) => sink.waits(isWaiting),
  };
  flight.suspension = new Suspension(parts, id, told, handle);
  if (flight.chain.some(({ hold }) => hold === 'paused')) flight.suspension?.pause();
}

export async function perform<K extends SyscallKind>(
  parts: Parts,
  flight: Flight<K>,
  ticket: Ticket,
  heard: (headers: readonly string[]) => void,
): Promise<Outcomes[K] | Refusal> {
  const payload = flight.call.payload;
  if (!('facts' in payload)) {
    if (payload.how === 'brokered')
      return callServer(parts, flight as Flight, payload, ticket) as Promise<Outcomes[K] | Refusal>;
    ticket.use();
    handOver(parts, flight as Flight);
    return { kind: 'released' } as Outcomes[K];
  }
  if (payload.signal.aborted) return refusal('cancelled', 'The client closed its connection.');
  const granted = flight.granted;
  assert(granted, 'a model call is performed on a granted backend');
  const backend = parts.backends.get(granted.backend.id);
  // Its backend left the settings while START was written.
  if (!backend) return refusal('stale', `There is no backend ${granted.backend.id} any more.`);
  const call = flight.outgoing;
  assert(call, 'a model call is prepared before START');
  if (call.transforms) call.sink.transformed(call.transforms, call.losses ?? []);
  // One signal for both ends: a combined one would cost more than all the rest of this stage.
  const leave = () => flight.killer.abort(payload.signal.reason);
  payload.signal.addEventListener('abort', leave, { once: true });
  const written = (tokens: number) => parts.scheduler.served(flight.call.id, tokens);
  const performed = backend.perform(ticket, { ...call, heard, written, signal: flight.killer.signal });
  makeSuspendable(parts, flight as Flight, backend, payload.sink);
  const outcome = await performed;
  flight.suspension?.over();
  payload.signal.removeEventListener('abort', leave);
  return outcome as Outcomes[K];
}
