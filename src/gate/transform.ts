/** The named transforms a model call needs on the backend it was granted. They are applied here and nowhere else. */
import type { ModelCall, TransformName } from '../base/model.ts';
import { aliasModel } from '../wire/transforms/alias.ts';
import { askForUsage } from '../wire/transforms/usage.ts';
import type { Candidate } from './catalog.ts';
import type { Flight } from './flight.ts';

/** Before START, which names what was changed: the model call as it will leave. */
export function prepare(flight: Flight): void {
  const { payload } = flight.call;
  if ('facts' in payload && flight.granted) flight.outgoing = transform(payload, flight.granted);
}

/** The same object when nothing has to change. */
function transform(call: ModelCall, granted: Candidate): ModelCall {
  const { facts } = call;
  const names: TransformName[] = [];
  let body = call.decoded;
  // The backend knows the model by another name.
  if (facts.model !== '' && granted.upstreamModel !== facts.model) {
    body = aliasModel(body, granted.upstreamModel);
    names.push('alias');
  }
  // A chat stream that is not asked reports no usage: the whole reservation would be booked instead.
  const asking = facts.dialect === 'openai-chat' && facts.stream ? askForUsage(body) : undefined;
  if (asking) {
    body = asking;
    names.push('usage');
  }
  if (names.length === 0) return call;
  // The new body is not compressed.
  const headers = call.headers.filter(
    (_, i) => call.headers[i - (i % 2)]?.toLowerCase() !== 'content-encoding',
  );
  return { ...call, body, decoded: body, headers, transforms: [...(call.transforms ?? []), ...names] };
}
