/** Stage START: one journal entry per attempt, durable before anything leaves; then, and only then, a ticket. */
import { agentPut } from '../agents/table.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { mintTicket, type Ticket } from '../base/ticket.ts';
import { NO_USAGE } from '../base/usage.ts';
import type { Batch } from '../db/store.ts';
import { applyEntry, type CallDraft, callPut, nameOf, startEntry } from '../journal/calls.ts';
import { storeBody } from './body.ts';
import { keepBefore, keepHold, takeFresh } from './changes.ts';
import type { Decided } from './decide.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';
import { SYSCALLS } from './syscalls.ts';

type Puts = NonNullable<Batch['puts']>;

export async function start(parts: Parts, flight: Flight, decided: Decided): Promise<Ticket | Refusal> {
  const { call, agent, granted } = flight;
  const now = parts.clock.now();
  flight.attempt++;
  const stored = storeBody(parts, flight, now);
  const before = keepBefore(parts, flight, now);
  const entry = draft(parts, flight, decided, now);
  flight.row = applyEntry(flight.row, entry);
  const { endsLater } = SYSCALLS[call.kind];
  if (endsLater && !flight.isJoined) agent.calls++;
  agent.lastAt = now;
  const met = granted
    ? parts.accounts.seen(granted.account, granted.credential, granted.backend.provider).puts
    : [];
  if (granted) agent.account = granted.account;
  const booked = bookAtStart(parts, flight, now);
  const approved = decided.approval === undefined ? [] : parts.approvals.use(decided.approval, now).puts;
  const coverage = flight.attempt === 1 && !flight.isJoined ? countDecided(parts, flight, false, now) : [];
  const used = enterUse(parts, flight, now);
  const seen = takeFresh(parts);
  const durable = parts.journal.append({
    entries: [entry],
    puts: [
      ...(flight.row ? [callPut(flight.row)] : []),
      ...(endsLater ? [agentPut(agent)] : []),
      ...stored.puts,
      ...before.puts,
      ...approved,
      ...used.puts,
      ...met,
      ...booked,
      ...coverage,
      ...keepHold(flight, now),
      ...seen.puts,
      ...parts.salts.takeFresh(now),
    ],
    deletes: [...used.deletes, ...seen.deletes],
    blobs: [...stored.blobs, ...before.blobs],
    isAlone: parts.ending.size === 1,
  });
  // While it is being written.
  flight.step(now, 'start', startDetail(flight));
  watchPace(parts, flight, decided, now);
  try {
    await durable;
  } catch (error) {
    parts.ledger.release(call.id);
    return refusal('store_failed', `The journal could not be written: ${String(error)}`, {
      remedy: 'mezz doctor',
    });
  }
  flight.startedAt = parts.clock.now();
  return mintTicket({
    call: call.id,
    agent: agent.pid,
    attempt: flight.attempt,
    backend: granted?.backend.id,
    account: granted?.account,
    credential: granted?.credential,
  });
}

/** The loop guard and the guard of spending learn of the call. */
function watchPace({ loops }: Parts, flight: Flight, { suspected }: Decided, now: number): void {
  if (suspected) loops.rearm(flight.guarded);
  if (flight.attempt === 1) loops.record(flight.guarded, flight.reserved.usd, now);
  else loops.settle(flight.guarded.tree, flight.reserved.usd, now);
}

/** A tool call was decided before it happened: it counts so once, however often it is sent. */
export function countDecided(parts: Parts, { call, agent }: Flight, denied: boolean, now: number): Puts {
  if (!('toolUseId' in call.payload)) return [];
  const { how, toolUseId, tool } = call.payload;
  return how === 'brokered'
    ? parts.coverage.made(agent, call.id)
    : parts.coverage.decided(agent, toolUseId, tool, call.id, denied, now);
}

/** What a second sending of could do harm is in the ledger from its START on. */
function enterUse(parts: Parts, { use, call, agent, digest }: Flight, now: number) {
  if (!use || use.retry === 'pure') return { puts: [], deletes: [] };
  const args = parts.salts.commit(agent.owner, digest);
  const { name, tool, retry } = use;
  return parts.uses.started({ call: call.id, agent: agent.pid, use: name, args, tool, retry }, now);
}

/** A call whose END comes from elsewhere, or never, counts as a request from its START on. */
function bookAtStart(parts: Parts, flight: Flight, now: number): Puts {
  if (!SYSCALLS[flight.call.kind].endsLater) return [];
  const used = { usage: NO_USAGE, cost: flight.reserved.usd, model: bookedModel(flight) };
  return parts.ledger.settle(flight.call.id, used, now).puts;
}

/** The name under which a call's use is booked. */
export const bookedModel = ({ granted, resource }: Flight): string =>
  nameOf(granted?.upstreamModel ?? resource.id);

function draft(parts: Parts, flight: Flight, decided: Decided, now: number): CallDraft {
  const { call, agent, granted } = flight;
  return startEntry(now, {
    call: call.id,
    agent: agent.pid,
    owner: agent.owner,
    kind: call.kind,
    target: flight.resource.id,
    key: flight.keyId,
    turn: call.turn ?? null,
    arrivedAt: call.arrivedAt,
    attempt: flight.attempt,
    // Where mezz itself performs it: after a crash a call with such a place is in doubt.
    backend: granted?.backend.id ?? serverOf(flight),
    model: bookedModel(flight),
    account: granted?.account ?? null,
    above: flight.accounts.slice(1),
    hosted: 'facts' in call.payload ? call.payload.facts.hostedTools.map(({ type }) => type) : [],
    toolUseId: 'toolUseId' in call.payload ? call.payload.toolUseId : null,
    rules: decided.rules,
    approval: decided.approval ?? null,
    reservedUsd: flight.reserved.usd,
    reservedTokens: flight.reserved.tokens,
    reservedOutput: flight.reserved.output,
    ...parts.ledger.bookedOn(now),
    args: parts.salts.commit(agent.owner, flight.digest),
    head: flight.links.at(-1)?.exact ?? null,
    labels: [],
    transforms: flight.outgoing?.transforms ?? [],
    losses: flight.outgoing?.losses ?? [],
    continues: call.continues ?? null,
    ...(flight.use ? { retry: flight.use.retry } : {}),
    ...orderOf(flight),
  });
}

/** What put a call that waited before others that did. */
function orderOf({ order }: Flight): { order?: string } {
  if (!order || order.reasons.length === 0) return {};
  return { order: `${order.policy}: ${order.reasons.join('; ')}` };
}

const serverOf = ({ call: { payload } }: Flight): string | null =>
  'how' in payload && payload.how === 'brokered' ? payload.server : null;

function startDetail({ granted, outgoing, call }: Flight): string {
  if (!granted) return '';
  const continues = call.continues ? `, continues ${call.continues}` : '';
  const changed = outgoing?.transforms ? `, transforms ${outgoing.transforms.join(', ')}` : '';
  const lost = outgoing?.losses?.length ? `, lost ${outgoing.losses.join(', ')}` : '';
  return `${granted.backend.id}, ${granted.credential} login, account ${granted.account}${changed}${lost}${continues}`;
}
