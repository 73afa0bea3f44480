/** Stage perform: hands the ticket and the payload to the driver. Named transforms are applied here and nowhere else. */
import { assert } from '../base/assert.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import type { ModelCall } from '../base/model.ts';
import type { Outcomes, SyscallKind } from '../base/syscall.ts';
import type { Ticket } from '../base/ticket.ts';
import { aliasModel } from '../wire/transforms/alias.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';

export async function perform<K extends SyscallKind>(
  parts: Parts,
  flight: Flight<K>,
  ticket: Ticket,
): Promise<Outcomes[K] | Refusal> {
  const payload = flight.call.payload;
  if (!('facts' in payload)) {
    ticket.use();
    return { kind: 'released' } as Outcomes[K];
  }
  if (payload.signal.aborted) return refusal('cancelled', 'The client closed its connection.');
  const granted = flight.granted;
  assert(granted, 'a model call is performed on a granted backend');
  const backend = parts.backends.get(granted.backend.id);
  assert(backend, `backend ${granted.backend.id} has a driver`);
  const call: ModelCall = {
    ...aliased(payload, granted.upstreamModel),
    signal: AbortSignal.any([payload.signal, flight.killer.signal]),
  };
  return (await backend.perform(ticket, call)) as Outcomes[K];
}

/** The named transform `alias`: the one member `model`, where the backend knows the model by another name. */
function aliased(call: ModelCall, upstreamModel: string): ModelCall {
  if (call.facts.model === '' || upstreamModel === call.facts.model) return call;
  const body = aliasModel(call.decoded, upstreamModel);
  // The new body is not compressed.
  const headers = call.headers.filter(
    (_, i) => call.headers[i - (i % 2)]?.toLowerCase() !== 'content-encoding',
  );
  return { ...call, body, decoded: body, headers };
}
