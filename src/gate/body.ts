/**
 * What a call sent, for the journal: bodies by their content, and beside them what the access policies were asked, so
 * that other policies can be asked the same again.
 */
import type { AccessRequest } from '../access/decide.ts';
import { isRecord, type JsonRecord, parseJson } from '../base/json.ts';
import { type CallRow, REQUEST } from '../db/schema/journal.ts';
import type { Store } from '../db/store.ts';
import { rebuildRequest, type StoredRequest } from '../journal/context.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';
import { factsOf } from './question.ts';

/** The question without who asks (rows say that) and without what a tool call's body holds. */
type Asked = Omit<AccessRequest, 'chain' | 'action' | 'labels' | 'approved'>;

export function storeBody(parts: Parts, flight: Flight, now: number): Pick<StoredRequest, 'puts' | 'blobs'> {
  const { payload, id: call } = flight.call;
  const { owner } = flight.agent;
  if (parts.settings.bodies !== 'keep') return { puts: [], blobs: [] };
  const { resource, args } = flight;
  const facts = factsOf(parts, flight, flight.granted);
  const request = (asked: Asked) => ({ call, owner, asked: JSON.stringify(asked) });
  if (!('facts' in payload)) {
    const body = { hash: flight.digest, bytes: Buffer.from(flight.body) };
    return parts.context.storeWhole(request({ resource, args: {}, facts }), body, now);
  }
  if (payload.decoded.length === 0) return { puts: [], blobs: [] };
  const { decoded, facts: found } = payload;
  return parts.context.store(request({ resource, args, facts }), decoded, found, flight.links, now);
}

/** What the policies were asked about a recorded call, but for its chain; undefined when it cannot be told any more. */
export async function askedAbout(store: Store, call: CallRow): Promise<Asked | undefined> {
  const row = await store.get(REQUEST, [call.id]);
  const asked = row?.asked ? (parseJson(row.asked) as unknown as Asked) : undefined;
  if (!asked || call.kind !== 'tool.call') return asked;
  const body = parseJson((await rebuildRequest(store, call.id))?.toString('utf8') ?? '');
  return isRecord(body) && isRecord(body.input) ? { ...asked, args: body.input as JsonRecord } : undefined;
}
