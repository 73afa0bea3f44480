/** Verbs about who may do what: keys, policies, questions. */
import type { AccessRequest } from '../../access/decide.ts';
import { levelOf } from '../../agents/coverage.ts';
import type { ApprovalView, Finding } from '../../base/control.ts';
import type { Refusal } from '../../base/errors.ts';
import { refusal } from '../../base/errors.ts';
import { hourOf, principals } from '../../gate/question.ts';
import { retry } from '../../gate/retrial.ts';
import { type ControlContext, type Handlers, selectAgent } from './context.ts';
import { doubtViews } from './views.ts';

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
    return { approvals: gate.parts.approvals.list(all ?? false), doubts: doubtViews(gate) };
  },

  approve: (context, { approval }) => answer(context, approval, true),

  deny: (context, { approval }) => answer(context, approval, false),

  async can(context, request) {
    const agent = selectAgent(context, request.agent);
    if ('code' in agent) return agent;
    const { parts } = context.gate;
    const decision = parts.access.decide({
      chain: principals(parts.agents.chain(agent)),
      action: request.action,
      resource: resourceOf(request.action, request.resource, agent.client),
      args: request.args ?? {},
      labels: [],
      facts: {
        hostedTools: [],
        permittedHostedTools: parts.settings.hostedTools,
        level: levelOf(parts.agents.chain(agent), parts.settings.holdAll),
        localHour: hourOf(parts),
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

  async 'policy.test'(context, request) {
    const agent = request.agent === undefined ? undefined : selectAgent(context, request.agent);
    if (agent && 'code' in agent) return agent;
    const retrial = await retry(context.gate.parts, request.text, {
      since: request.since ?? 0,
      ...(agent ? { agent: agent.pid } : {}),
    });
    if ('changed' in retrial) return { ...retrial, changed: [...retrial.changed] };
    return refusal('bad_request', retrial.map((finding) => finding.text).join('; '), {
      remedy: 'mezz policy check <file> says what is wrong, and where',
    });
  },

  async 'policy.apply'(context, { text, profile }) {
    const { parts } = context.gate;
    if (profile !== undefined && profile !== 'default' && profile !== 'observe') {
      return refusal('bad_request', `A profile is default or observe, not "${profile}".`);
    }
    const findings: readonly Finding[] = parts.access.apply(
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
      context.gate.reconsider();
    }
    return { epoch: parts.access.epoch, findings };
  },
};

/** A tool of the agent's own client unless a server is named; anything else is a model. */
function resourceOf(action: string, name: string, client: string): AccessRequest['resource'] {
  if (!action.startsWith('tool.')) return { type: 'Model', id: name, parents: [] };
  const id = name.includes('/') ? name : `${client}/${name}`;
  return { type: 'Tool', id, parents: [id.split('/', 1)[0] as string] };
}
