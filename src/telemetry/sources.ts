/** What the metrics page reads in the kernel's own tables at the moment it is asked for. */
import type { Gate } from '../gate/gate.ts';
import { agentViews } from '../gateway/control/views.ts';
import type { Sources } from './metrics.ts';
import type { Readings } from './prometheus.ts';

export function kernelSources(gate: Gate, diskFree: () => number): Sources {
  const { parts } = gate;
  return {
    agents: () => count([...agentViews(gate, parts.agents.all())].map(({ state }) => [state])),
    running: () => [...parts.catalog.backends.keys()].map((id) => [parts.scheduler.busy(id), id] as const),
    waiting: () => count(gate.waits().map(({ reason, resource }) => [reason, nameOf(reason, resource)])),
    approvalsOpen: () => parts.approvals.list(false).length,
    budgets: () =>
      parts.ledger
        .limits()
        .filter((limit) => limit.dimension === 'usd')
        .map((limit) => [(limit.cap - limit.used - limit.held) / 1e9, limit.scope, limit.period] as const),
    toolEvents: () => Object.entries(parts.broker.counts).map(([what, value]) => [value, what] as const),
    toolDoubts: () => parts.uses.doubts().length,
    entries: () => parts.journal.size,
    diskFree,
  };
}

/** Ids of approvals and pids would make a series each: only slots have names worth a label. */
const nameOf = (reason: string, resource: string): string => (reason === 'slot' ? resource : '');

function count(rows: readonly (readonly string[])[]): Readings {
  const counts = new Map<string, { labels: readonly string[]; count: number }>();
  for (const labels of rows) {
    const key = labels.join('\0');
    const found = counts.get(key) ?? { labels, count: 0 };
    found.count++;
    counts.set(key, found);
  }
  return [...counts.values()].map((row) => [row.count, ...row.labels] as const);
}
