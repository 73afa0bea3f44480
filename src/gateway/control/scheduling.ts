/** Verbs about the order of calls: which policy, who is next, who had what when. */
import type { SpanView } from '../../base/order.ts';
import { CALL, type CallRow } from '../../db/schema/journal.ts';
import type { Gate } from '../../gate/gate.ts';
import { POLICIES } from '../../scheduler/policies/all.ts';
import { LIMITS } from '../limits.ts';
import { type Handlers, selectAgent } from './context.ts';

type SchedulingVerb = 'sched' | 'sched.set' | 'sched.policies' | 'sched.gantt';

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
    return { order: ordering.view(), line };
  },

  async 'sched.set'({ ordering }, change) {
    const order = await ordering.set(change);
    return 'code' in order ? order : { order };
  },

  async 'sched.policies'({ gate }) {
    const { policy, policyText } = gate.parts.scheduler;
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
};
