/**
 * What a text of access policies cannot mean although it is well formed: rules that never apply, and texts that permit
 * nothing or whose permits are all overruled. Told as warnings: the text is usable, and probably not what was meant.
 */
import type { EntityUidJson, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Finding } from '../base/control.ts';

interface Policy {
  readonly id: string;
  readonly json: PolicyJson;
}

const warn = (id: string, text: string, remedy: string): Finding => ({ id, level: 'warn', text, remedy });

export function analyse(policies: readonly Policy[]): Finding[] {
  return [...policies.flatMap(neverApplies), ...sameTwice(policies), ...overruled(policies)];
}

/** Names in scopes that no request of this kernel carries. */
function neverApplies({ id, json }: Policy): Finding[] {
  const findings: Finding[] = [];
  const never = (why: string, remedy: string) =>
    findings.push(warn('policy.never', `Rule ${id} never applies: ${why}.`, remedy));
  for (const { type, id: name } of entitiesOf(json.principal)) {
    if (type === 'Agent' && !/^[1-9]\d*$/.test(name))
      never(`agents are named by their pid, not "${name}"`, `when { principal.name == "${name}" }`);
    if (type === 'Group') never(`no agent is in the group "${name}"`, 'when { principal.owner == "..." }');
  }
  for (const { type, id: name } of entitiesOf(json.resource)) {
    if (type === 'Tool' && !name.includes('/'))
      never(`tools are named by client and tool, not "${name}"`, `Tool::"claude-code/${name}"`);
  }
  return findings;
}

/** The entities that a principal or resource scope names, however it does. */
function entitiesOf(scope: PolicyJson['principal'] | PolicyJson['resource']): { type: string; id: string }[] {
  const uids: EntityUidJson[] = [];
  if ('entity' in scope) uids.push(scope.entity);
  if ('in' in scope && scope.in && 'entity' in scope.in) uids.push(scope.in.entity);
  return uids.map((uid) => ('__entity' in uid ? uid.__entity : uid));
}

function sameTwice(policies: readonly Policy[]): Finding[] {
  const seen = new Map<string, string>();
  return policies.flatMap(({ id, json }) => {
    const { annotations: _annotations, ...meaning } = json;
    const text = JSON.stringify(meaning);
    const first = seen.get(text);
    if (first === undefined) seen.set(text, id);
    return first === undefined
      ? []
      : [warn('policy.twice', `Rules ${first} and ${id} say the same.`, 'Remove one.')];
  });
}

/** A forbid without any scope or condition leaves nothing; without a permit there is nothing to begin with. */
function overruled(policies: readonly Policy[]): Finding[] {
  const permits = policies.filter(({ json }) => json.effect === 'permit');
  if (permits.length === 0) {
    const remedy = 'Add a permit; what no rule permits is refused.';
    return [warn('policy.nothing', 'No rule permits anything: every call would be refused.', remedy)];
  }
  const all = policies.find(
    ({ json }) =>
      json.effect === 'forbid' &&
      json.conditions.length === 0 &&
      [json.principal, json.action, json.resource].every(({ op }) => op === 'All'),
  );
  if (!all) return [];
  const names = permits.map(({ id }) => id).join(', ');
  return [
    warn(
      'policy.overruled',
      `Rule ${all.id} forbids everything: no permit has any effect (${names}).`,
      'Give it a scope or a condition; to stop everything for a while: mezz freeze --all',
    ),
  ];
}
