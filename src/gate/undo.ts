/**
 * Taking back what calls changed. Each step is a syscall of its own, made by an agent that is opened for it, decided,
 * locked and journaled like any other; under its locks it is looked once more whether anybody was faster.
 */
import { type Agent, agentPut } from '../agents/table.ts';
import { type Refusal, refusal } from '../base/errors.ts';
import { newCallId } from '../base/ids.ts';
import { isRecord, parseJson } from '../base/json.ts';
import type { ToolCall } from '../base/syscall.ts';
import { CALL } from '../db/schema/journal.ts';
import { CHANGE, type ChangeRow } from '../db/schema/tools.ts';
import { OWN } from '../tools/shorten.ts';
import { pathOf, planUndo, type Step } from '../tools/undo.ts';
import { openEntry } from './arrivals.ts';
import { closeAgent } from './exits.ts';
import { Flight } from './flight.ts';
import type { Gate } from './gate.ts';
import { LIMITS } from './limits.ts';
import type { Parts } from './parts.ts';
import { RESTORE, RESTORE_FILE } from './restore.ts';

export interface UndoAsked {
  /** What these agents changed, or one call. */
  readonly of: { readonly agents: ReadonlySet<number> } | { readonly call: string };
  /** Nothing that was begun before. */
  readonly sinceMs: number;
  readonly isDry: boolean;
}

export interface Undone extends Step {
  /** The call that took it back, or that failed to. */
  readonly by?: string;
  readonly failed?: Refusal;
}

export async function undo(gate: Gate, asked: UndoAsked): Promise<Undone[]> {
  const { parts } = gate;
  const mine = await changesAsked(parts, asked);
  const oldest = mine.reduce((first, { call }) => (call < first ? call : first), mine[0]?.call ?? '');
  const since = await parts.store.range(CHANGE, { from: oldest, limit: LIMITS.undoRows.value });
  const steps = await planUndo(mine, since, {
    hashOf: (path) => parts.broker.hashOf(path),
    isKept: async ({ owner, before }) =>
      before === '' || (await parts.store.blob(owner, before)) !== undefined,
    isCut: since.length >= LIMITS.undoRows.value,
    tell: async (row) =>
      `${parts.agents.get(row.agent)?.name ?? row.agent} (${row.agent}) with ${await toolOf(parts, row)}, call ${row.call},`,
  });
  if (asked.isDry || steps.every(({ skip }) => skip !== undefined)) return steps;
  const actors = new Map<string, Agent>();
  try {
    const done: Undone[] = [];
    for (const step of steps) done.push(await takeBack(gate, actors, step));
    return done;
  } finally {
    for (const actor of actors.values()) await closeAgent(gate, actor, { exitCode: 0, signal: null });
  }
}

/** The tool that made a change: a row names the one that takes it back. */
export const toolOf = async ({ store }: Parts, { call, tool }: ChangeRow): Promise<string> =>
  (await store.get(CALL, [call]))?.target ?? tool;

async function changesAsked({ store }: Parts, { of, sinceMs }: UndoAsked): Promise<ChangeRow[]> {
  const limit = LIMITS.undoRows.value;
  const found =
    'call' in of
      ? await store.range(CHANGE, { prefix: [of.call], limit })
      : await Promise.all(
          [...of.agents].map((agent) =>
            store.range(CHANGE, { by: ['agent', 'call'], prefix: [agent], reverse: true, limit }),
          ),
        );
  return found.flat().filter(({ at }) => at >= sinceMs);
}

async function takeBack(gate: Gate, actors: Map<string, Agent>, step: Step): Promise<Undone> {
  if (step.skip !== undefined) return step;
  const { parts } = gate;
  const { row } = step;
  const payload = await callFor(parts, row);
  if ('code' in payload) return { ...step, failed: payload };
  const actor = actors.get(row.owner) ?? (await openActor(gate, row.owner));
  actors.set(row.owner, actor);
  const now = parts.clock.now();
  const id = newCallId(now, parts.random);
  const flight = new Flight<'tool.call'>({
    call: {
      ...{ id, kind: 'tool.call', agent: actor.pid, arrivedAt: now },
      payload: { ...payload, toolUseId: `undo:${id}` },
    },
    chain: [actor],
    keyId: '',
    login: undefined,
    signal: undefined,
  });
  flight.effects = await parts.broker.effectsOf(payload, parts.servers.get(payload.server)?.spec.cwd ?? '/');
  // What stands there was looked at just now: whoever changes it from here on makes this stale.
  for (const { key } of flight.effects) parts.broker.versions.stamp(actor.pid, key);
  const walked = await gate.walk(flight);
  if (walked.kind === 'refused') return { ...step, by: id, failed: walked.refusal };
  if (walked.outcome.kind === 'called' && walked.outcome.isError)
    return { ...step, by: id, failed: refusal('failed', `${row.tool} says that it failed.`) };
  await parts.store.commit({ puts: [{ table: CHANGE, row: { ...row, undoneBy: id } }] });
  return { ...step, by: id };
}

type Payload = ToolCall & { readonly how: 'brokered' };

/** The call that takes a change back. */
async function callFor(parts: Parts, row: ChangeRow): Promise<Payload | Refusal> {
  const common = { toolUseId: '', how: 'brokered' } as const;
  if (row.kind === 'file') {
    const input = { path: pathOf(row), holds: row.after ?? '', becomes: row.before, mode: row.mode };
    return { ...common, server: OWN, tool: RESTORE_FILE, input, manifest: RESTORE };
  }
  const found = await parts.servers.find(row.tool);
  if ('code' in found) return found;
  const input = parseJson(row.before);
  if (!isRecord(input)) return refusal('failed', 'The call that takes it back cannot be read.');
  const { server, tool, known } = found;
  return { ...common, server, tool, input, ...(known.manifest ? { manifest: known.manifest } : {}) };
}

async function openActor({ parts }: Gate, owner: string): Promise<Agent> {
  const agent = parts.agents.add({ name: 'undo', owner, client: 'mezz' }, parts.clock.now());
  await parts.journal.append({ entries: [openEntry(agent)], puts: [agentPut(agent)] });
  return agent;
}
