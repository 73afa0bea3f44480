/** Durable questions: opened for a call that must wait for a person, found again by its exact arguments, closed in time. */
import type { Approval } from '../access/approvals.ts';
import type { Refusal } from '../base/errors.ts';
import { refusal } from '../base/errors.ts';
import { newApprovalId } from '../base/ids.ts';
import type { EntryDraft } from '../journal/journal.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';

export async function ask(
  parts: Parts,
  flight: Flight,
  rule: string,
  ofTree: boolean,
): Promise<{ readonly id: string } | Refusal> {
  const now = parts.clock.now();
  const { tree } = flight.guarded;
  const shared = ofTree ? parts.approvals.find(parts.loops.question(tree) ?? '') : undefined;
  if (shared?.state === 'open') return { id: shared.id };
  const opened = parts.approvals.open(
    {
      id: newApprovalId(now, parts.random),
      agent: flight.agent.pid,
      agentName: flight.agent.name,
      action: flight.call.kind,
      target: flight.resource.id,
      args: flight.args,
      digest: flight.digest,
      rule,
    },
    now,
    parts.settings.askExpiresMs,
  );
  const { displaced } = opened;
  if (ofTree) parts.loops.asked(tree, opened.approval.id);
  if (!opened.isNew) return { id: opened.approval.id };
  const body = {
    approval: opened.approval.id,
    action: flight.call.kind,
    target: flight.resource.id.slice(0, 200),
    rule: rule.slice(0, 200),
    args: parts.salts.commit(flight.agent.owner, flight.digest),
    expiresAt: opened.approval.expiresAt,
  };
  try {
    await parts.journal.append({
      entries: [
        ...(displaced ? [closeEntry(displaced, 'expired')] : []),
        { kind: 'approval.open', agent: flight.agent.pid, call: flight.call.id, body },
      ],
      puts: [...opened.puts, ...parts.salts.takeFresh(now)],
    });
  } catch (error) {
    return refusal('store_failed', `The question could not be stored: ${String(error)}`);
  }
  if (displaced) parts.waits.wakeAll('approval', displaced.id);
  return { id: opened.approval.id };
}

/** Closes the questions that nobody answered in time and sends the calls that wait for them back to decide. */
export async function expireQuestions(parts: Parts): Promise<void> {
  const { expired, puts } = parts.approvals.expire(parts.clock.now());
  if (expired.length === 0) return;
  const entries = expired.map((approval) => closeEntry(approval, 'expired'));
  await parts.journal.append({ entries, puts });
  for (const { id } of expired) parts.waits.wakeAll('approval', id);
}

const closeEntry = ({ id, agent }: Approval, state: string): EntryDraft => ({
  kind: 'approval.close',
  agent,
  body: { approval: id, state },
});
