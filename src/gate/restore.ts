/** Putting a file back as it was: a tool that mezz performs itself, for `mezz undo` alone. */
import { type Refusal, refusal } from '../base/errors.ts';
import { type JsonRecord, stringOf } from '../base/json.ts';
import type { Manifest } from '../base/manifest.ts';
import type { ToolCall, ToolOutcome } from '../base/syscall.ts';
import type { Ticket } from '../base/ticket.ts';
import { keepAfter } from './changes.ts';
import type { Flight } from './flight.ts';
import { asUse } from './locking.ts';
import type { Parts } from './parts.ts';

/** No agent is offered it: mezz's own server does not name it. */
export const RESTORE_FILE = 'restore_file';
export const RESTORE: Manifest = {
  resources: [{ key: 'file:{path}', access: 'replace' }],
  retry: 'idempotent',
};

/** Puts back what a file held, if it still holds what the undone call left. */
export async function restoreFile(
  parts: Parts,
  flight: Flight,
  { input }: ToolCall,
  ticket: Ticket,
): Promise<ToolOutcome | Refusal> {
  ticket.use();
  parts.broker.started(asUse(flight));
  const problem = await restore(parts, flight.agent.owner, input);
  await keepAfter(
    parts,
    flight.call.id,
    (await parts.broker.ended(flight.call.id, problem ? 'failed' : 'done')) ?? [],
  );
  if (problem) return problem;
  return { kind: 'called', result: { content: [] }, isError: false };
}

async function restore(parts: Parts, owner: string, input: JsonRecord): Promise<Refusal | undefined> {
  const [path, holds, becomes] = [stringOf(input.path), stringOf(input.holds), stringOf(input.becomes)];
  if ((await parts.broker.hashOf(path)) !== holds)
    return refusal('stale', `${path} was changed by somebody else meanwhile.`, { rule: 'tools:stale' });
  const bytes = becomes === '' ? undefined : await parts.store.blob(owner, becomes);
  if (!bytes && becomes !== '') return refusal('not_found', `What ${path} held before is not kept any more.`);
  const mode = typeof input.mode === 'number' ? { mode: input.mode } : {};
  const problem = await parts.broker.restore(path, bytes && { bytes, ...mode });
  return problem === undefined ? undefined : refusal('failed', `${path} cannot be written: ${problem}`);
}
