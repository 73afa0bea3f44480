/** The named transforms a model call needs on the backend it was granted. They are applied here and nowhere else. */
import type { Agent } from '../agents/table.ts';
import type { Refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/hash.ts';
import type { ModelCall, NeutralDialect, TransformName } from '../base/model.ts';
import { aliasModel } from '../wire/transforms/alias.ts';
import { addHints } from '../wire/transforms/hints.ts';
import { askForTokens } from '../wire/transforms/resume.ts';
import { unseal } from '../wire/transforms/unseal.ts';
import { askForUsage } from '../wire/transforms/usage.ts';
import { translateRequest } from '../wire/translate.ts';
import type { Candidate } from './catalog.ts';
import type { Flight } from './flight.ts';

/** Before START, which names what was changed: the model call as it will leave, or why it cannot. */
export function prepare(flight: Flight, now: number): Refusal | undefined {
  const { payload } = flight.call;
  if (!('facts' in payload) || !flight.granted) return undefined;
  const { dialect } = flight.granted;
  const outgoing =
    dialect === payload.dialect || dialect === 'openai-embeddings' || payload.dialect === 'openai-embeddings'
      ? transform(payload, flight.granted)
      : translate(payload, payload.dialect, dialect, flight.granted.upstreamModel, now);
  if ('code' in outgoing) return outgoing;
  flight.outgoing = resumable(hint(outgoing, flight.agent, flight.granted), flight.granted);
  return undefined;
}

/** Asks for the tokens of an answer that may be broken off, where its backend goes on from them. */
function resumable(call: ModelCall, { backend, dialect }: Candidate): ModelCall {
  if (backend.continues !== 'tokens' || dialect !== 'openai-chat' || !call.facts.stream) return call;
  const body = askForTokens(call.decoded);
  return body ? changed(call, body, call.headers, ['resume']) : call;
}

/** What the backend understands of who asks, where its settings say so; the same object when there is nothing to say. */
function hint(
  call: ModelCall,
  { nice, pid, keyId, createdAt }: Agent,
  { backend, dialect }: Candidate,
): ModelCall {
  if (!backend.hints || call.facts.model === '') return call;
  const session = sha256Hex(`${keyId} ${pid} ${createdAt}`).slice(0, 32);
  const hinted = addHints({ ...call, dialect, body: call.decoded }, backend.hints, { nice, session });
  return hinted ? changed(call, hinted.body, hinted.headers, ['hints']) : call;
}

/** The call with another body, which is not compressed. */
function changed(
  call: ModelCall,
  body: Uint8Array,
  headers: readonly string[],
  names: readonly TransformName[],
): ModelCall {
  return {
    ...call,
    body,
    decoded: body,
    headers: headers.filter((_, i) => headers[i - (i % 2)]?.toLowerCase() !== 'content-encoding'),
    transforms: [...(call.transforms ?? []), ...names],
  };
}

/** For a backend of another dialect: another path, another body, and the way back for the answer. */
function translate(
  call: ModelCall,
  client: NeutralDialect,
  backend: NeutralDialect,
  model: string,
  now: number,
): ModelCall | Refusal {
  const translated = translateRequest(call.decoded, client, backend, model, now);
  if ('code' in translated) return translated;
  const { path, body, losses, translation } = translated;
  return {
    ...call,
    dialect: backend,
    path,
    body,
    decoded: body,
    headers: translatedHeaders(call.headers, backend),
    transforms: [...(call.transforms ?? []), 'translate'],
    losses,
    translation,
  };
}

/** Without what only the client's own API reads; Messages asks every request for its version. */
function translatedHeaders(headers: readonly string[], backend: NeutralDialect): string[] {
  const kept = headers.filter((_, i) => !OWN_HEADERS.test(headers[i - (i % 2)] as string));
  return backend === 'anthropic' ? [...kept, 'anthropic-version', ANTHROPIC_VERSION] : kept;
}

const OWN_HEADERS = /^(content-encoding|accept-encoding|anthropic-.*|openai-.*)$/i;
const ANTHROPIC_VERSION = '2023-06-01';

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
  // Thoughts from a time when another provider served this conversation.
  const plain = facts.dialect === 'openai-chat' ? undefined : unseal(body);
  if (plain) {
    body = plain;
    names.push('unseal');
  }
  if (names.length === 0) return call;
  return { ...changed(call, body, call.headers, names), ...(plain ? { losses: ['reasoning'] } : {}) };
}
