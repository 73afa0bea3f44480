/**
 * Stage END: outcome, usage and cost become durable, the budget settles in the same transaction, the slot is given
 * back as soon as the entry is queued. Only after this may the caller see the end of its answer.
 */
import { agentPut } from '../agents/table.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/hash.ts';
import type { ModelOutcome } from '../base/model.ts';
import type { CallReport } from '../base/observer.ts';
import type { Outcomes, SyscallKind } from '../base/syscall.ts';
import { NO_USAGE, type Usage } from '../base/usage.ts';
import { allOf } from '../budget/ledger.ts';
import { readWindows } from '../budget/windows.ts';
import { OBJECT } from '../db/schema/agents.ts';
import type { Batch } from '../db/store.ts';
import { applyEntry, callPut, endEntry, NO_ANSWER } from '../journal/calls.ts';
import type { Kept } from '../tools/results.ts';
import { keepInverse, takeFresh } from './changes.ts';
import { costAt } from './charge.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';
import { keepRest } from './results.ts';
import { releaseSlot, turnOf } from './schedule.ts';
import { bookedModel } from './start.ts';
import { SYSCALLS } from './syscalls.ts';

type Puts = NonNullable<Batch['puts']>;
type Deletes = NonNullable<Batch['deletes']>;

interface Result {
  readonly code: CallReport['outcome'];
  readonly status: number;
  readonly usage: Usage;
  readonly cost: number;
  readonly stop: string;
  readonly answer: string | null;
  readonly bytesOut: number;
  readonly intents: number;
  readonly firstByteMs: number | null;
  readonly puts: Puts;
  readonly deletes: Deletes;
  readonly blobs?: Kept['blobs'];
}

/** undefined when END is durable. A released tool call has no END yet: its client reports the outcome later. */
export async function end<K extends SyscallKind>(
  parts: Parts,
  flight: Flight,
  outcome: Outcomes[K] | Refusal,
): Promise<Refusal | undefined> {
  if ('kind' in outcome && outcome.kind === 'released') return undefined;
  if ('kind' in outcome && outcome.kind === 'called')
    return book(parts, flight, calledResult(parts, flight, outcome));
  if (!('code' in outcome)) return book(parts, flight, resultOf(parts, flight, outcome as ModelOutcome));
  const known = isStillInDoubt(flight, outcome) ? STILL_IN_DOUBT : outcome;
  const cost = sentCost(flight);
  return book(parts, flight, { ...NO_ANSWER, cost, code: known.code, ...leaveUse(parts, flight, known) });
}

/** What ends later was booked with its START, whatever came of it. */
const sentCost = ({ call, reserved }: Flight): number => (SYSCALLS[call.kind].endsLater ? reserved.usd : 0);

const STILL_IN_DOUBT = refusal('in_doubt', 'An earlier sending may have taken effect.');

/** A tool call sent once more: that this sending came to nothing says nothing of the first. */
const isStillInDoubt = ({ use, attempt }: Flight, { code }: Refusal): boolean =>
  use !== undefined && use.retry !== 'pure' && attempt > 1 && code !== 'failed';

type Called = Extract<Outcomes['tool.call'], { kind: 'called' }>;

const leaveUse = (parts: Parts, { use, call }: Flight, outcome: Called | Refusal) =>
  use ? parts.uses.ended(call.id, outcome, parts.settings.bodies === 'keep') : { puts: [], deletes: [] };

/** What a tool server answered: kept as a commitment, and in the ledger of uses until it was told. */
function calledResult(parts: Parts, flight: Flight, outcome: Called): Result {
  const { result, isError, error } = outcome;
  const left = leaveUse(parts, flight, outcome);
  const now = parts.clock.now();
  const rest = keepRest(parts, flight, now);
  const text = JSON.stringify(error ?? result);
  return {
    ...NO_ANSWER,
    cost: sentCost(flight),
    code: isError ? 'failed' : 'ok',
    answer: parts.salts.commit(flight.agent.owner, sha256Hex(text)),
    bytesOut: text.length,
    puts: [...(isError ? [] : keepInverse(parts, flight, result, now)), ...left.puts, ...rest.puts],
    deletes: left.deletes,
    blobs: rest.blobs,
  };
}

/** Writes END for a result; also used for tool calls whose outcome came later. */
export async function book(parts: Parts, flight: Flight, result: Result): Promise<Refusal | undefined> {
  const { call, agent } = flight;
  const now = parts.clock.now();
  const { puts, deletes, blobs = [], ...body } = result;
  const entry = endEntry(now, {
    ...body,
    call: call.id,
    agent: agent.pid,
    waitedMs: (flight.startedAt ?? now) - call.arrivedAt,
    ...suspendedOf(flight),
    ...parts.ledger.bookedOn(now),
  });
  flight.row = applyEntry(flight.row, entry);
  const { endsLater } = SYSCALLS[call.kind];
  if (!endsLater) agent.calls++;
  // What ends later was booked with its START.
  const settled = endsLater
    ? []
    : parts.ledger.settle(
        call.id,
        { usage: result.usage, cost: result.cost, model: bookedModel(flight) },
        now,
      ).puts;
  for (const kind of ['input', 'cacheRead', 'cacheWrite', 'output', 'reasoning'] as const)
    agent[kind] += result.usage[kind];
  agent.cost += result.cost;
  parts.loops.settle(flight.guarded.tree, result.cost - flight.reserved.usd, now);
  const taught = teach(parts, flight, result);
  const seen = takeFresh(parts);
  const durable = parts.journal.append({
    entries: [entry],
    puts: [
      ...(flight.row ? [callPut(flight.row)] : []),
      agentPut(agent),
      ...settled,
      ...puts,
      ...taught.puts,
      ...seen.puts,
      ...parts.salts.takeFresh(now),
    ],
    deletes: [...deletes, ...taught.deletes, ...seen.deletes],
    blobs,
    isAlone: parts.ending.size === 1,
  });
  // While it is being written.
  flight.step(now, 'end', result.code);
  if (!flight.isJoined) report(parts, flight, result, now);
  releaseSlot(parts, flight);
  try {
    await durable;
    return undefined;
  } catch (error) {
    return refusal('store_failed', `The outcome could not be stored: ${String(error)}`, {
      remedy: 'mezz doctor',
    });
  }
}

/** How often it was stopped while it ran, and for how long, where it was. */
function suspendedOf({ suspension }: Flight): { suspended?: number; suspendedMs?: number } {
  if (!suspension?.times) return {};
  return { suspended: suspension.times, suspendedMs: suspension.totalMs };
}

/** Tells the scheduler what the call used; what it learned of turns of its kind is stored with END. */
function teach(
  parts: Parts,
  flight: Flight,
  { usage, code, intents }: Result,
): { readonly puts: Puts; readonly deletes: Deletes } {
  const { call, granted } = flight;
  const used = {
    input: usage.input + usage.cacheWrite,
    cached: usage.cacheRead,
    output: usage.output,
    // A sub-agent's last answer is one more step of its main agent's turn.
    endsTurn: code === 'ok' && intents === 0 && turnOf(parts, flight) === call.turn,
  };
  return (granted && parts.scheduler.used(call.id, used)) ?? { puts: [], deletes: [] };
}

function report(parts: Parts, flight: Flight, result: Result, now: number): void {
  const { kind, arrivedAt } = flight.call;
  parts.observer.ended({
    kind,
    outcome: result.code,
    backend: flight.granted?.backend.id ?? null,
    status: result.status,
    waitedMs: flight.startedAt === undefined ? null : flight.startedAt - arrivedAt,
    firstByteMs: result.firstByteMs,
    tookMs: now - arrivedAt,
    usage: result.usage,
    cost: result.cost,
  });
}

function resultOf(parts: Parts, flight: Flight, outcome: ModelOutcome): Result {
  const { usage, cost } = usedBy(parts, flight, outcome);
  const common = {
    usage,
    cost,
    stop: outcome.facts.stopReason ?? '',
    bytesOut: outcome.bytesOut,
    intents: outcome.facts.intents.length,
  };
  const puts = seen(parts, flight, outcome);
  if (outcome.kind === 'broken') {
    return {
      ...common,
      code: outcome.refusal.code,
      status: 0,
      answer: null,
      firstByteMs: null,
      puts,
      deletes: [],
    };
  }
  const learned = learn(parts, flight, outcome, usage);
  return {
    ...common,
    code: outcome.upstreamError ? 'failed' : 'ok',
    status: outcome.status,
    answer: outcome.tail.length > 0 ? parts.salts.commit(flight.agent.owner, sha256Hex(outcome.tail)) : null,
    firstByteMs: outcome.firstByteAtMs - flight.call.arrivedAt,
    puts: [...puts, ...learned.puts],
    deletes: learned.deletes,
  };
}

/** What the provider reported; where a call was sent and nothing reported, all of its reservation is booked. */
function usedBy(parts: Parts, flight: Flight, outcome: ModelOutcome): Pick<Result, 'usage' | 'cost'> {
  const { usage } = outcome.facts;
  if (usage) return { usage, cost: costOf(parts, flight, usage) };
  const mayHaveUsed = outcome.kind === 'broken' ? outcome.sent : !outcome.upstreamError;
  if (!mayHaveUsed || !SYSCALLS[flight.call.kind].charged) return { usage: NO_USAGE, cost: 0 };
  return { usage: allOf(flight.reserved), cost: flight.reserved.usd };
}

function costOf(parts: Parts, flight: Flight, usage: Usage): number {
  return (flight.granted && costAt(parts, flight, flight.granted, usage)) ?? 0;
}

/** Tool calls the answer asks for, objects it created, plan windows its headers report. */
function seen(parts: Parts, flight: Flight, outcome: ModelOutcome): Puts {
  const { agent, call, granted } = flight;
  const now = parts.clock.now();
  const puts: Puts[number][] = [...parts.coverage.seen(agent, outcome.facts.intents, call, now)];
  for (const id of outcome.facts.objects) {
    puts.push({ table: OBJECT, row: { id, agent: agent.pid, backend: granted?.backend.id ?? '', at: now } });
  }
  if (outcome.kind === 'answered' && granted) {
    const readings = readWindows(outcome.headers, now);
    if (readings.length > 0) puts.push(...parts.windows.record(granted.account, readings, now).puts);
  }
  return puts;
}

function learn(
  parts: Parts,
  flight: Flight,
  outcome: ModelOutcome,
  usage: Usage,
): { puts: Puts; deletes: Deletes } {
  const payload = flight.call.payload;
  if (!outcome.facts.usage || !('facts' in payload) || !flight.granted) return { puts: [], deletes: [] };
  return parts.estimator.learn(
    flight.granted.upstreamModel,
    flight.agent.client,
    payload.decoded.length,
    usage,
  );
}
