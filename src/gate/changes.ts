/**
 * What tool calls change, kept so that it can be shown and taken back: contents go into the store with START, before
 * anything can change them, and what became of them is told at the end. Invariant: no content of an owner whose bodies
 * are not kept, and none in an entry.
 */
import type { Refusal } from '../base/errors.ts';
import { isRecord, type JsonRecord, parseJson } from '../base/json.ts';
import { CHANGE, type ChangeRow, HOLD } from '../db/schema/tools.ts';
import type { Batch, BlobRow } from '../db/store.ts';
import type { Change, Obstruction } from '../tools/broker.ts';
import { tellDiff } from '../tools/diff.ts';
import { isWrite } from '../tools/effects.ts';
import { LIMITS as TOOL_LIMITS } from '../tools/limits.ts';
import { fillValue } from '../tools/manifests/template.ts';
import type { Fresh } from '../tools/versions.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';

type Puts = NonNullable<Batch['puts']>;

const rowOf = (
  { call, agent, resource }: Flight,
  key: string,
  at: number,
): Omit<ChangeRow, 'before' | 'mode'> => ({
  ...{ call: call.id, key, agent: agent.pid, owner: agent.owner, at },
  ...{ kind: 'file', tool: resource.id, after: null, undoneBy: null },
});

/** For START: what the files hold that the call may change. */
export function keepBefore(
  parts: Parts,
  flight: Flight,
  now: number,
): { readonly puts: Puts; readonly blobs: readonly BlobRow[] } {
  const { owner } = flight.agent;
  return {
    puts: flight.before.map(({ path, hash, mode = null }) => ({
      table: CHANGE,
      row: { ...rowOf(flight, `file:${path}`, now), before: hash, mode },
    })),
    blobs: flight.before.flatMap(({ hash, bytes }) =>
      bytes ? parts.context.keepBlob({ owner, hash, bytes, at: now }) : [],
    ),
  };
}

/** For START of a call that its client runs: what it touches, for a kernel that starts again meanwhile. */
export function keepHold(flight: Flight, now: number): Puts {
  const { call, agent, effects } = flight;
  if (!flight.isHooked || !flight.isLocking || !('tool' in call.payload)) return [];
  const { tool } = call.payload;
  const row = { call: call.id, agent: agent.pid, tool, effects: JSON.stringify(effects), at: now };
  return [{ table: HOLD, row }];
}

/** What is known of keys since the last batch; where nothing of contents is kept, not their hashes either. */
export function takeFresh({ broker, settings }: Parts): Fresh {
  const fresh = broker.takeFresh();
  return settings.bodies === 'off' ? { puts: [], deletes: fresh.deletes } : fresh;
}

/** The call has ended: what it did not change is forgotten. Not waited for: its END is written behind it. */
export async function keepAfter({ store }: Parts, call: string, changes: readonly Change[]): Promise<void> {
  if (changes.length === 0) return;
  const after = new Map(changes.map((change) => [`file:${change.path}`, change.after]));
  const rows = await store.range(CHANGE, { prefix: [call], limit: TOOL_LIMITS.beforeFiles.value });
  const isSame = (row: ChangeRow) => row.before === after.get(row.key);
  const puts = rows
    .filter((row) => !isSame(row))
    .map((row) => ({ table: CHANGE, row: { ...row, after: after.get(row.key) ?? null } }));
  const deletes = rows.filter(isSame).map(({ key }) => ({ table: CHANGE, key: [call, key] }));
  // A store that fails here has stopped the kernel.
  await store.commit({ puts, deletes }).catch(() => undefined);
}

/** For END of a call that mezz made itself: what it changed beyond files, and the call that takes it back. */
export function keepInverse(parts: Parts, flight: Flight, result: JsonRecord, now: number): Puts {
  const { payload } = flight.call;
  const written = flight.effects.filter((effect) => isWrite(effect) && !effect.key.startsWith('file:'));
  if (!('how' in payload) || payload.how !== 'brokered') return [];
  const undo = payload.manifest?.undo;
  const input = undo && fillValue(undo.input, { ...payload.input, result: answerOf(result) });
  const text = input === undefined ? '' : JSON.stringify(input);
  const isKnown =
    undo && text !== '' && text.length <= TOOL_LIMITS.undoBytes.value && parts.settings.bodies === 'keep';
  const kind = isKnown ? (undo.compensates ? 'compensation' : 'inverse') : 'none';
  const tool = isKnown ? `${payload.server}__${undo.tool}` : flight.resource.id;
  return written.map(({ key }) => ({
    table: CHANGE,
    row: { ...rowOf(flight, key, now), kind, tool, before: isKnown ? text : '', after: '', mode: null },
  }));
}

/** What a tool answered, as data: its structured content, or its first text where that is JSON. */
function answerOf({ structuredContent, content }: JsonRecord): JsonRecord {
  if (isRecord(structuredContent)) return structuredContent;
  const first = Array.isArray(content) ? content[0] : undefined;
  const read = isRecord(first) && typeof first.text === 'string' ? parseJson(first.text) : undefined;
  return isRecord(read) ? read : {};
}

/** The refusal with what changed since its agent last looked, where mezz still has what that was. */
export async function showChange(
  parts: Parts,
  flight: Flight,
  { refusal, basis }: Obstruction,
): Promise<Refusal> {
  if (!basis) return refusal;
  const [before, after] = await Promise.all([
    parts.store.blob(flight.agent.owner, basis.hash),
    parts.broker.content(basis.path),
  ]);
  const diff = before && after ? tellDiff(before, after) : undefined;
  const detail =
    diff === undefined
      ? 'What it held then is not kept, so what changed cannot be shown.'
      : `What changed since:\n${diff}`;
  return { ...refusal, detail };
}
