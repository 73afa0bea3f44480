/** Verbs about the order of calls: which policy, who is next, who had what when. */
import { setImmediate as breathe } from 'node:timers/promises';
import { refusal } from '../../base/errors.ts';
import type { SpanView, WhatifRow } from '../../base/order.ts';
import { CALL, type CallRow } from '../../db/schema/journal.ts';
import type { Gate } from '../../gate/gate.ts';
import { termsOf } from '../../gate/open.ts';
import { POLICIES } from '../../scheduler/policies/all.ts';
import { type Recorded, replay, type Waits, type World, waitsRecorded } from '../../scheduler/whatif.ts';
import { LIMITS } from '../limits.ts';
import { type Handlers, selectAgent } from './context.ts';

type SchedulingVerb = 'sched' | 'sched.set' | 'sched.policies' | 'sched.gantt' | 'whatif';

const nameOf = ({ parts }: Gate, pid: number): string => parts.agents.get(pid)?.name ?? String(pid);

export const schedulingVerbs: Handlers<SchedulingVerb> = {
  async sched({ gate, ordering }) {
    const { scheduler, clock } = gate.parts;
    const line = scheduler.line(LIMITS.listedWaits.value).map(({ waiting, reasons }) => ({
      call: waiting.call,
      agent: waiting.agent,
      agentName: nameOf(gate, waiting.agent),
      owner: waiting.owner,
      resources: waiting.resources,
      waitedMs: clock.now() - waiting.arrivedAt,
      reasons,
    }));
    const caches = [...gate.parts.catalog.backends.keys()].flatMap((backend) => {
      const cache = scheduler.admitted(backend);
      return cache && (cache.windowTokens !== null || cache.turns > 0) ? [{ backend, ...cache }] : [];
    });
    return { order: ordering.view(), line, caches };
  },

  async 'sched.set'({ ordering }, change) {
    const order = await ordering.set(change);
    return 'code' in order ? order : { order };
  },

  async 'sched.policies'({ gate }) {
    const { name: policy, text: policyText } = gate.parts.scheduler.inForce;
    const policies = [...POLICIES.values()].map(({ name, text }) => ({
      name,
      text,
      inForce: name === policy,
    }));
    if (!POLICIES.has(policy)) policies.push({ name: policy, text: policyText, inForce: true });
    return { policies };
  },

  async 'sched.gantt'(context, request) {
    const { gate } = context;
    const { store, clock } = gate.parts;
    const until = request.until ?? clock.now();
    const since = request.since ?? until - LIMITS.ganttMs.value;
    const agent = request.agent === undefined ? undefined : selectAgent(context, request.agent);
    if (agent && 'code' in agent) return agent;
    // A call that began before the window may have run into it: as long before as a call can take to wait and run.
    const from = since - LIMITS.ganttMs.value;
    const limit = LIMITS.ganttSpans.value;
    const rows: CallRow[] = agent
      ? await store.range(CALL, {
          by: ['agent', 'arrivedAt'],
          prefix: [agent.pid],
          from,
          reverse: true,
          limit,
        })
      : await store.range(CALL, { by: ['arrivedAt'], from, reverse: true, limit });
    const spans = rows.flatMap((row): SpanView[] => {
      const { backend, startedAt, endedAt } = row;
      if (backend === null || startedAt === null) return [];
      if (startedAt > until || (endedAt ?? until) < since) return [];
      const { id, agent: pid, arrivedAt } = row;
      return [{ call: id, agent: pid, agentName: nameOf(gate, pid), backend, arrivedAt, startedAt, endedAt }];
    });
    return { since, until, spans: spans.reverse(), more: rows.length === limit };
  },

  async whatif({ gate, ordering }, request) {
    const { store, clock, scheduler } = gate.parts;
    if (!(request.policies?.length > 0 && request.policies.length <= LIMITS.whatifPolicies.value))
      return refusal('bad_request', `Name 1 to ${LIMITS.whatifPolicies.value} policies.`, {
        remedy: 'mezz whatif --policy fair',
      });
    const since = request.since ?? clock.now() - LIMITS.whatifMs.value;
    const limit = LIMITS.whatifCalls.value;
    const rows = await store.range(CALL, { by: ['arrivedAt'], from: since, reverse: true, limit });
    const calls = rows.flatMap((row) => recordedOf(gate, row) ?? []);
    const again = replay(calls, scheduler.inForce, worldOf(gate)).waits;
    const others: Waits[] = [];
    for (const name of request.policies) {
      const policy = await ordering.find(name);
      if ('code' in policy) return policy;
      // A replay of many calls takes a while: what runs goes on between two.
      await breathe();
      const { waits, fault } = replay(calls, policy, worldOf(gate));
      if (fault !== undefined) return refusal('bad_request', `It cannot be said: ${fault}.`);
      others.push(waits);
    }
    return {
      since,
      inForce: scheduler.policy,
      calls: calls.length,
      left: rows.length - calls.length,
      more: rows.length === limit,
      rows: whatifRows(gate, calls, again, others),
    };
  },
};

/** A call as What-if replays it; undefined for one that had no backend, runs still, or whose backend is gone. */
function recordedOf({ parts }: Gate, row: CallRow): Recorded | undefined {
  const { backend, startedAt, endedAt } = row;
  if (backend === null || startedAt === null || endedAt === null) return undefined;
  if (![...parts.catalog.backends.values()].some(({ id }) => id === backend)) return undefined;
  const agent = parts.agents.get(row.agent);
  return {
    call: row.id,
    agent: row.agent,
    owner: row.owner,
    turn: row.turn ?? undefined,
    nice: agent?.nice ?? 0,
    image: agent?.client ?? '',
    backend,
    arrivedAt: row.arrivedAt,
    startedAt,
    endedAt,
    input: row.input + row.cacheWrite,
    cached: row.cacheRead,
    output: row.output,
  };
}

function worldOf({ parts }: Gate): World {
  const { catalog, scheduler } = parts;
  const resources = [...catalog.backends.values()].map((spec) => ({
    name: spec.id,
    size: spec.slots,
    terms: termsOf(spec),
  }));
  return { resources, tuning: scheduler.tuning, maxWaitMs: scheduler.bounds.maxWaitMs };
}

function whatifRows(
  gate: Gate,
  calls: readonly Recorded[],
  again: Waits,
  others: readonly Waits[],
): WhatifRow[] {
  const counts = Map.groupBy(calls, ({ agent }) => agent);
  return [...waitsRecorded(calls)].map(([agent, waitedMs]) => {
    const replayedMs = again.get(agent) ?? 0;
    return {
      agent,
      agentName: nameOf(gate, agent),
      calls: counts.get(agent)?.length ?? 0,
      waitedMs,
      errorMs: Math.abs(replayedMs - waitedMs),
      changesMs: others.map((waits) => (waits.get(agent) ?? 0) - replayedMs),
    };
  });
}
