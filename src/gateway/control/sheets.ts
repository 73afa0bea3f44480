/** Verbs that show everything at a glance: what moves at each agent, and what is left. */
import type { Agent } from '../../agents/table.ts';
import type { ContextFill, Pulse } from '../../base/sheets.ts';
import { CALL, type CallRow } from '../../db/schema/journal.ts';
import { diskFree } from '../../drivers/disk.ts';
import type { Gate } from '../../gate/gate.ts';
import { LIMITS } from '../limits.ts';
import type { Handlers } from './context.ts';
import { insightVerbs } from './insight.ts';
import { windowViews } from './money.ts';
import { agentViews } from './views.ts';

const HOUR_MS = 3_600_000;

export const sheetVerbs: Handlers<'top' | 'free'> = {
  async top(context, { all }) {
    const { gate, version, startedAt, origin } = context;
    const { parts } = gate;
    const agents = [...parts.agents.all()].filter((agent) => all || agent.hold !== 'exited');
    const { calls, spanMs } = await recentCalls(gate);
    const pulses = await pulsesOf(gate, agents, calls);
    return {
      kernel: { version, startedAt, origin, pid: process.pid },
      spanMs,
      agents: agentViews(gate, agents).map((view, at) => ({ ...view, ...(pulses[at] as Pulse) })),
      approvals: parts.approvals.list(false),
      windows: windowViews(gate),
    };
  },

  async free(context, request) {
    const { parts } = context.gate;
    const { entries, fileBytes, blobBytes } = await parts.store.stats();
    const { rss, heapUsed, external } = process.memoryUsage();
    const backends = await insightVerbs.backends(context, request);
    return {
      backends: 'code' in backends ? [] : backends.backends,
      limits: parts.ledger.limits(undefined, parts.clock.now()),
      windows: windowViews(context.gate),
      journal: { entries, fileBytes, blobBytes },
      diskFreeBytes: diskFree(context.stateDir),
      memory: { residentBytes: rss, heapBytes: heapUsed, bufferBytes: external },
      waiting: parts.waits.size,
    };
  },
};

/** The calls of the last hour, newest first; where there were more than are read, the time that those read cover. */
async function recentCalls({ parts }: Gate): Promise<{ calls: CallRow[]; spanMs: number }> {
  const now = parts.clock.now();
  const limit = LIMITS.sheetCalls.value;
  const from = now - HOUR_MS;
  const calls = await parts.store.range(CALL, { by: ['arrivedAt'], from, reverse: true, limit });
  const oldest = calls.at(-1);
  const spanMs = oldest && calls.length === limit ? Math.max(1000, now - oldest.arrivedAt) : HOUR_MS;
  return { calls, spanMs };
}

async function pulsesOf(gate: Gate, agents: readonly Agent[], calls: readonly CallRow[]): Promise<Pulse[]> {
  const byAgent = Map.groupBy(calls, (call) => call.agent);
  const plans = fullestPlans(gate);
  const windows = new Map<string, number | null>();
  const windowOf = (model: string) => {
    const known = windows.get(model) ?? gate.parts.catalog.windowOf(model) ?? null;
    windows.set(model, known);
    return known;
  };
  let lookUps = LIMITS.sheetLookUps.value;
  return Promise.all(
    agents.map(async (agent) => {
      const own = byAgent.get(agent.pid) ?? [];
      const idle = own.length === 0 && agent.calls > 0 && lookUps-- > 0;
      const last = idle ? await lastCalls(gate, agent.pid) : own;
      return {
        recent: sumOf(own),
        context: fillOf(last, windowOf),
        plan: plans.get(agent.account ?? '') ?? null,
      };
    }),
  );
}

const lastCalls = ({ parts }: Gate, pid: number): Promise<CallRow[]> =>
  parts.store.range(CALL, {
    by: ['agent', 'arrivedAt'],
    prefix: [pid],
    reverse: true,
    limit: LIMITS.sheetRequests.value,
  });

function sumOf(calls: readonly CallRow[]): Pulse['recent'] {
  const sum = { requests: 0, tokens: 0, cost: 0 };
  for (const call of calls) {
    if (call.startedAt === null || call.kind.startsWith('tool.')) continue;
    sum.requests++;
    sum.tokens += promptOf(call) + call.output;
    sum.cost += call.cost;
  }
  return sum;
}

const promptOf = (call: CallRow): number => call.input + call.cacheRead + call.cacheWrite;

/** The fullest of the newest requests that have been counted; `calls` are newest first. */
export function fillOf(
  calls: readonly CallRow[],
  windowOf: (model: string) => number | null,
): ContextFill | null {
  const counted = calls.filter((call) => call.kind === 'model.generate' && promptOf(call) > 0);
  const [first, ...others] = counted.slice(0, LIMITS.sheetRequests.value);
  if (!first) return null;
  const fullest = others.reduce((most, call) => (promptOf(call) > promptOf(most) ? call : most), first);
  return {
    call: fullest.id,
    model: fullest.target,
    tokens: promptOf(fullest),
    cached: fullest.cacheRead,
    window: windowOf(fullest.target),
  };
}

/** The fullest plan window of each account; windows that are over say nothing any more. */
function fullestPlans({ parts }: Gate): ReadonlyMap<string, NonNullable<Pulse['plan']>> {
  const now = parts.clock.now();
  const fullest = new Map<string, NonNullable<Pulse['plan']>>();
  for (const { account, name, usedShare, resetsAt } of parts.windows.list()) {
    const isOver = resetsAt !== null && resetsAt <= now;
    if (!isOver && usedShare >= (fullest.get(account)?.usedShare ?? 0))
      fullest.set(account, { name, usedShare, resetsAt });
  }
  return fullest;
}
