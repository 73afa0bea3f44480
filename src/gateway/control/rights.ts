/** Verbs about who may do what: keys, policies, questions. */
import type { ApprovalView, Finding } from '../../base/control.ts';
import type { Refusal } from '../../base/errors.ts';
import { refusal } from '../../base/errors.ts';
import { CALL } from '../../db/schema/journal.ts';
import { type ControlContext, type Handlers, selectAgent } from './context.ts';

type RightsVerb =
  | 'keys'
  | 'key.create'
  | 'key.revoke'
  | 'inbox'
  | 'approve'
  | 'deny'
  | 'can'
  | 'policy'
  | 'policy.check'
  | 'policy.test'
  | 'policy.apply';

async function answer(
  context: ControlContext,
  selector: string,
  yes: boolean,
): Promise<{ approval: ApprovalView } | Refusal> {
  const { parts } = context.gate;
  const found = parts.approvals.find(selector);
  if (!found)
    return refusal('not_found', `There is no question "${selector}".`, { remedy: 'mezz inbox lists them' });
  const answered = parts.approvals.answer(found.id, yes, 'operator', parts.clock.now());
  if ('code' in answered) return answered;
  await parts.journal.append({
    entries: [
      {
        kind: 'approval.close',
        agent: found.agent,
        body: { approval: found.id, state: answered.approval.state },
      },
    ],
    puts: answered.puts,
  });
  parts.waits.wakeAll('approval', found.id);
  return { approval: answered.approval };
}

export const rightsVerbs: Handlers<RightsVerb> = {
  async keys({ gate }) {
    return { keys: gate.parts.keys.list() };
  },

  async 'key.create'(context, request) {
    const { parts } = context.gate;
    const agent = request.agent === undefined ? undefined : selectAgent(context, request.agent);
    if (agent && 'code' in agent) return agent;
    const created = parts.keys.create(
      { name: request.name, owner: agent?.owner ?? request.owner ?? 'me', pid: agent?.pid ?? null },
      parts.random,
      parts.clock.now(),
    );
    await parts.journal.append({
      entries: [{ kind: 'config', agent: 0, body: { key: created.key.id, name: request.name.slice(0, 64) } }],
      puts: created.puts,
    });
    const key = parts.keys.list().find((view) => view.id === created.key.id);
    return key ? { key, secret: created.secret } : refusal('failed', 'The key was not stored.');
  },

  async 'key.revoke'(context, request) {
    const { parts } = context.gate;
    const revoked = parts.keys.revoke(request.key, parts.clock.now());
    if ('code' in revoked) return revoked;
    await parts.journal.append({
      entries: [{ kind: 'config', agent: 0, body: { key: revoked.key.id, revoked: true } }],
      puts: revoked.puts,
    });
    context.gate.interruptKey(revoked.key.id);
    const key = parts.keys.list().find((view) => view.id === revoked.key.id);
    return key ? { key } : refusal('not_found', 'The key is gone.');
  },

  async inbox({ gate }, { all }) {
    return { approvals: gate.parts.approvals.list(all ?? false) };
  },

  approve: (context, { approval }) => answer(context, approval, true),

  deny: (context, { approval }) => answer(context, approval, false),

  async can(context, request) {
    const agent = selectAgent(context, request.agent);
    if ('code' in agent) return agent;
    const { parts } = context.gate;
    const chain = parts.agents.chain(agent);
    const isTool = request.action.startsWith('tool.');
    const decision = parts.access.decide({
      chain: chain.map((member, index) => ({
        pid: member.pid,
        name: member.name,
        owner: member.owner,
        client: member.client,
        depth: chain.length - 1 - index,
        groups: [],
      })),
      action: request.action,
      resource: {
        type: isTool ? 'Tool' : 'Model',
        id:
          isTool && !request.resource.includes('/')
            ? `${agent.client}/${request.resource}`
            : request.resource,
        parents: isTool
          ? [request.resource.includes('/') ? (request.resource.split('/', 1)[0] as string) : agent.client]
          : [],
      },
      args: request.args ?? {},
      labels: [],
      facts: {
        hostedTools: [],
        permittedHostedTools: parts.settings.hostedTools,
        level: agent.level,
        localHour: new Date(parts.clock.now()).getUTCHours(),
      },
      approved: false,
    });
    const why = decision.effect === 'forbid' ? decision.refusal : undefined;
    return {
      decision: decision.effect,
      rules: [...decision.rules],
      message: why?.message ?? (decision.effect === 'ask' ? decision.reason : 'permitted'),
      remedy: why?.remedy ?? null,
    };
  },

  async policy({ gate }) {
    const { access } = gate.parts;
    const text = access.text();
    return {
      profile: access.profile,
      epoch: access.epoch,
      sources: [{ name: 'in force', rules: (text.match(/^\s*(permit|forbid)\s*\(/gm) ?? []).length }],
      text,
    };
  },

  async 'policy.check'({ gate }, { text }) {
    return { findings: gate.parts.access.check(text) };
  },

  async 'policy.test'({ gate }, { text, since }) {
    return testPolicy(gate, text, since ?? 0);
  },

  async 'policy.apply'(context, { text, profile }) {
    const { parts } = context.gate;
    if (profile !== undefined && profile !== 'default' && profile !== 'observe') {
      return refusal('bad_request', `A profile is default or observe, not "${profile}".`);
    }
    const findings: Finding[] = parts.access.apply(
      text ?? parts.access.text(),
      profile ?? parts.access.profile,
    );
    if (!findings.some((finding) => finding.level === 'fail')) {
      await parts.journal.append({
        entries: [
          {
            kind: 'config',
            agent: 0,
            body: { policyEpoch: parts.access.epoch, profile: parts.access.profile },
          },
        ],
      });
      context.gate.interrupt(new Set(), 'policy');
    }
    return { epoch: parts.access.epoch, findings };
  },
};

/** Decides recorded calls again under another text. Tool arguments are not kept in rows: rules on them are not tested. */
async function testPolicy(gate: ControlContext['gate'], text: string, since: number) {
  const { parts } = gate;
  const rows = await parts.store.range(CALL, { by: ['arrivedAt'], from: since, reverse: true, limit: 2000 });
  const other = parts.access.withText(text);
  if (!('decide' in other)) return refusal('bad_request', other.map((finding) => finding.text).join('; '));
  const changed = [];
  for (const row of rows) {
    const agent = parts.agents.get(row.agent);
    if (!agent) continue;
    const chain = parts.agents.chain(agent);
    const isTool = row.kind === 'tool.call';
    const request = {
      chain: chain.map((member, index) => ({
        pid: member.pid,
        name: member.name,
        owner: member.owner,
        client: member.client,
        depth: chain.length - 1 - index,
        groups: [],
      })),
      action: row.kind,
      resource: {
        type: isTool ? ('Tool' as const) : ('Model' as const),
        id: row.target,
        parents: isTool ? [row.target.split('/', 1)[0] as string] : [],
      },
      args: {},
      labels: [],
      facts: { hostedTools: [], permittedHostedTools: [], level: agent.level, localHour: 0 },
      approved: false,
    };
    const before = parts.access.decide(request);
    const after = other.decide(request);
    if (before.effect === after.effect) continue;
    changed.push({
      call: row.id,
      agent: row.agent,
      action: row.kind,
      target: row.target,
      before: before.effect,
      after: after.effect,
      rule: after.rules.join(', '),
    });
  }
  return { replayed: rows.length, changed };
}
