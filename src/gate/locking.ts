/**
 * Tool locks on a call's way: declared and taken in the stage schedule, looked at under them before START, kept by the
 * broker while the client runs the tool, and given back when its end is known, its agent has moved on, or at the bound.
 */
import type { Agent } from '../agents/table.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import type { CallId } from '../base/ids.ts';
import { parseJson } from '../base/json.ts';
import { CALL, type CallRow } from '../db/schema/journal.ts';
import { CHANGE, HOLD, type HoldRow } from '../db/schema/tools.ts';
import type { PolicyCall } from '../scheduler/policy.ts';
import { boundOf, type How, type Use } from '../tools/broker.ts';
import type { Effect } from '../tools/effects.ts';
import { LIMITS as TOOL_LIMITS } from '../tools/limits.ts';
import type { Obstacle } from '../tools/locks.ts';
import { keepAfter, showChange, takeFresh } from './changes.ts';
import { type Flight, go, refuse, type Stage } from './flight.ts';
import type { Parts } from './parts.ts';

export function takeLocks(parts: Parts, flight: Flight, scheduled: PolicyCall): Stage<void> {
  const { broker, scheduler, waits } = parts;
  if (flight.locked) return go(undefined);
  const id = flight.call.id;
  let refused: Refusal | undefined;
  broker.locks.declare({
    call: id,
    agent: flight.agent.pid,
    effects: flight.effects,
    places: flight.places,
    ordered: flight.isHooked,
  });
  scheduler.submit({
    ...scheduled,
    resources: [broker.locks.name],
    onGrant: (_name, why) => {
      flight.order = why;
      flight.locked = true;
      waits.wake(id);
    },
    onRefuse: (reason) => {
      refused = reason;
      waits.wake(id, { kind: 'refuse', refusal: reason });
    },
  });
  if (refused) return refuse(refused);
  if (flight.locked) return go(undefined);
  const first = blockedBy(parts, id)[0];
  const { locks } = broker;
  const resource = first?.effect.key ?? locks.fullPlace(id)?.name ?? locks.lacking(id) ?? locks.name;
  broker.waited({ call: id, agent: flight.agent.pid }, resource, first?.claim.agent ?? 0);
  return {
    kind: 'wait',
    reason: 'lock',
    resource,
    ...(flight.isTask ? {} : { holdMs: TOOL_LIMITS.lockWaitMs.value }),
    onDeadline: () => tooLong(parts, id),
  };
}

/** Who is in the way of a call that waits for locks. */
export const blockedBy = (parts: Parts, call: string): Obstacle[] => parts.broker.locks.obstacles(call);

/** One obstacle in words: who holds what, or wants it first. */
export function tellObstacle(parts: Parts, { claim, effect, held }: Obstacle): string {
  const name = parts.agents.get(claim.agent)?.name ?? String(claim.agent);
  return `${name} (${claim.agent}) ${held ? 'holds' : 'comes first for'} ${effect.key} (${effect.access}), call ${claim.call}`;
}

function tooLong(parts: Parts, call: string): Refusal {
  const first = blockedBy(parts, call)[0];
  const who = first ? tellObstacle(parts, first) : tellPlace(parts, call);
  const sinceMs = parts.clock.now() - (parts.waits.get(call as CallId)?.since ?? parts.clock.now());
  return refusal('busy', `Waited ${Math.round(sinceMs / 1000)} s: ${who}.`, {
    rule: 'limit:tools.lockWaitMs',
    retryAfterMs: 10_000,
    remedy: 'do something else first, then try again',
  });
}

function tellPlace({ broker }: Parts, call: string): string {
  const full = broker.locks.fullPlace(call);
  if (full) return `${full.size} calls run at ${full.name}, and more may not`;
  const lacking = broker.locks.lacking(call);
  if (lacking === undefined) return 'Another call holds what this one needs';
  const restMs = broker.rates.shutMs(lacking);
  return restMs > 0
    ? `${lacking} asked for none for another ${Math.ceil(restMs / 1000)} s`
    : `${lacking} has got its calls of this minute`;
}

/** What the call would undo, seen under its locks; undefined lets it go on. */
export async function inspect(parts: Parts, flight: Flight): Promise<Refusal | undefined> {
  const found = await parts.broker.check(asUse(flight));
  flight.inspected = found === undefined;
  if (found) return showChange(parts, flight, found);
  if (parts.settings.bodies === 'keep') flight.before = await parts.broker.before(asUse(flight));
  return undefined;
}

/** It holds its locks, and what they guard was not looked at since. */
export const needsLook = ({ broker }: Parts, flight: Flight): boolean =>
  flight.locked && !flight.inspected && broker.hasToLook(flight);

/** The client runs the tool from here on: the broker keeps the locks. */
export function handOver(parts: Parts, flight: Flight): void {
  if (!flight.locked) return;
  flight.locked = false;
  parts.broker.started(asUse(flight), () => giveBack(parts, flight.call.id));
}

/** The call has ended, however: what it left is looked at before the next may have its keys. */
export async function toolOver(parts: Parts, call: string, how: How): Promise<void> {
  const changes = await parts.broker.ended(call, how);
  if (!changes) return;
  await keepAfter(parts, call, changes);
  giveBack(parts, call);
}

/** An agent whose next request goes on with tool results runs none of its own tools any more. */
export async function movedOn(parts: Parts, agent: number): Promise<void> {
  const running = parts.broker.runningOf(agent);
  if (running.length === 0) return;
  // Those that did what they were asked for have been told of: what these read, if anything, nobody knows.
  for (const call of running) await toolOver(parts, call, 'unknown');
  // No END comes with it.
  await storeFresh(parts);
}

async function storeFresh(parts: Parts): Promise<void> {
  const fresh = takeFresh(parts);
  // A store that fails here has stopped the kernel.
  if (fresh.puts.length + fresh.deletes.length > 0) await parts.store.commit(fresh).catch(() => undefined);
}

/** A call that its client ran while the kernel was gone has its locks again, for what is left of its time. */
function takeUp(
  parts: Parts,
  agent: Agent,
  { call, tool, at }: HoldRow,
  use: Pick<Use, 'effects' | 'before'>,
) {
  const { broker, scheduler, clock } = parts;
  const { pid, owner, nice, client } = agent;
  const untilAt = at + boundOf(use);
  let isHeld = false;
  if (untilAt > clock.now()) {
    broker.locks.declare({ call, agent: pid, effects: use.effects, ordered: true });
    scheduler.submit({
      ...{ call, agent: pid, owner, nice, image: client, arrivedAt: at, deadlineAt: untilAt },
      ...{ inTokens: 0, outTokens: 0, resources: [broker.locks.name] },
      onGrant: () => {
        isHeld = true;
      },
      onRefuse: () => {},
    });
    if (!isHeld) scheduler.cancel(call);
    if (!isHeld) broker.locks.forget(call);
  }
  const started = { call, agent: pid, name: agent.name, tool, ...use };
  broker.started(started, isHeld ? () => giveBack(parts, call) : undefined, at);
}

/** After a start: clients have gone on with their own calls, and those that have not ended keep what they touch. */
export async function takeUpHolds(parts: Parts): Promise<void> {
  const { store, broker, agents } = parts;
  for (const row of await store.range(HOLD, { limit: TOOL_LIMITS.lockedCalls.value })) {
    if (broker.use(row.call)) continue;
    const agent = agents.get(row.agent);
    const call = await store.get(CALL, [row.call]);
    const effects: unknown = parseJson(row.effects);
    if (!agent || agent.hold === 'exited' || call?.state !== 'running' || !Array.isArray(effects)) {
      broker.forgetHold(row.call);
      continue;
    }
    const changes = await store.range(CHANGE, { prefix: [row.call], limit: TOOL_LIMITS.beforeFiles.value });
    const before = changes.map(({ key, before: hash }) => ({ path: key.slice('file:'.length), hash }));
    takeUp(parts, agent, row, { effects: effects as readonly Effect[], before });
  }
  await storeFresh(parts);
}

/** What a call that mezz made had done to files when the kernel ended is its own change, and none round the gate. */
export async function settleFiles(
  parts: Parts,
  agent: Agent,
  { id, target, arrivedAt }: CallRow,
): Promise<void> {
  const { store, broker } = parts;
  const rows = await store.range(CHANGE, { prefix: [id], limit: TOOL_LIMITS.beforeFiles.value });
  const before = rows
    .filter(({ kind }) => kind === 'file')
    .map(({ key, before: hash }) => ({ path: key.slice('file:'.length), hash }));
  if (before.length === 0) return;
  const effects = before.map(({ path }): Effect => ({ key: `file:${path}`, access: 'delta', path }));
  const tool = target.slice(target.indexOf('/') + 1);
  broker.started(
    { call: id, agent: agent.pid, name: agent.name, tool, effects, before },
    undefined,
    arrivedAt,
  );
  await keepAfter(parts, id, (await broker.ended(id, 'unknown')) ?? []);
  await storeFresh(parts);
}

/** For a call that must wait for something else, or ends at the gate. */
export function dropLocks(parts: Parts, flight: Flight): void {
  if (!flight.isLocking) return;
  const { id } = flight.call;
  if (flight.locked) parts.scheduler.release(id, parts.broker.locks.name);
  flight.locked = false;
  flight.inspected = false;
}

/** The walk is over: what the client does not run will not ask for its locks again. */
export function forgetLocks({ broker }: Parts, flight: Flight): void {
  if (flight.isLocking && !broker.use(flight.call.id)) broker.locks.forget(flight.call.id);
}

function giveBack({ scheduler, broker }: Parts, call: string): void {
  scheduler.release(call, broker.locks.name);
  broker.locks.forget(call);
}

export const asUse = ({ call, agent, effects, before }: Flight) => ({
  call: call.id,
  agent: agent.pid,
  name: agent.name,
  tool: 'tool' in call.payload ? call.payload.tool : call.kind,
  effects,
  // What it held stays in the store: only its name is needed later.
  before: before.map(({ path, hash }) => ({ path, hash })),
});
