/** Opens the durable question that a call waits for, or finds the one that is already open for the same arguments. */
import type { Refusal } from '../base/errors.ts';
import { refusal } from '../base/errors.ts';
import { newApprovalId } from '../base/ids.ts';
import type { Flight } from './flight.ts';
import type { Parts } from './parts.ts';

export async function ask(
  parts: Parts,
  flight: Flight,
  rule: string,
): Promise<{ readonly id: string } | Refusal> {
  const now = parts.clock.now();
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
        ...flight.opened,
        { kind: 'approval.open', agent: flight.agent.pid, call: flight.call.id, body },
      ],
      puts: [...opened.puts, ...flight.openedPuts, ...parts.salts.takeFresh(now)],
    });
  } catch (error) {
    return refusal('store_failed', `The question could not be stored: ${String(error)}`);
  }
  flight.opened = [];
  flight.openedPuts = [];
  return { id: opened.approval.id };
}
