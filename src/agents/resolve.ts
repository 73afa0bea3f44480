/** Finds or opens the agent that a request belongs to: the key's own agent, or a sub-agent on first sight. */
import { type Refusal, refusal } from '../base/errors.ts';
import type { Pid } from '../base/ids.ts';
import { header, type Identity } from './identity.ts';
import { LIMITS } from './limits.ts';
import type { Agent, AgentTable } from './table.ts';

export interface KeyHolder {
  readonly keyId: string;
  readonly owner: string;
  /** The agent a key is bound to, or null for a key that any program may use. */
  readonly pid: number | null;
  readonly name: string;
}

export interface Resolved {
  readonly agent: Agent;
  /** Agents opened by this request, parents first: the caller commits them. */
  readonly opened: readonly Agent[];
  /** The key's own agent, where this request was the first to say which client it is: the caller stores its row. */
  readonly named: readonly Agent[];
}

/**
 * A key that is not bound to an agent gets one root agent of its own on first use; sessions of such a key are told
 * apart as children, so that two programs that share a key do not share a row. A bound key is one program: its first
 * session is the agent itself.
 */
export function resolveAgent(
  table: AgentTable,
  key: KeyHolder,
  identity: Identity,
  headers: readonly string[],
  now: number,
): Resolved | Refusal {
  const opened: Agent[] = [];
  let root = key.pid === null ? table.findSub(0 as Pid, `key/${key.keyId}`) : table.get(key.pid);
  if (!root) {
    if (key.pid !== null) return refusal('stopped', `Agent ${key.pid} of this key no longer exists.`);
    root = table.add(
      {
        name: key.name,
        owner: key.owner,
        keyId: key.keyId,
        client: identity.client,
        subKey: `key/${key.keyId}`,
      },
      now,
    );
    opened.push(root);
  }
  const named: Agent[] = [];
  const isNameless = root.client === 'unknown' || root.client === 'generic';
  if (isNameless && identity.client !== 'unknown' && identity.client !== root.client) {
    root.client = identity.client;
    named.push(root);
  }
  let agent = root;
  const fresh = subPath(key, identity, headers);
  for (let known: Agent | undefined; fresh[0]; agent = known) {
    const { key: sub } = fresh[0];
    known =
      table.findSub(agent.pid, sub) ?? (sub.startsWith('sub/') ? table.findBelow(agent, sub) : undefined);
    if (!known) break;
    fresh.shift();
  }
  const refused = fresh.length === 0 ? undefined : tooMany(table, root, agent, fresh.length);
  if (refused) return refused;
  for (const step of fresh) {
    agent = table.add(
      {
        name: `${agent.name}/${step.name}`.replaceAll('/', '.'),
        parent: agent.pid,
        owner: root.owner,
        keyId: key.keyId,
        // A sub-agent is of its parent's client, whatever name that was opened under.
        client: step.key.startsWith('sub/') ? agent.client : identity.client,
        subKey: step.key,
        level: root.level,
        nice: agent.nice,
        cwd: root.cwd,
      },
      now,
    );
    opened.push(agent);
  }
  return { agent, opened, named };
}

/** Why no more agents may be opened below this one. Asked before the first is, so that none is left half opened. */
function tooMany(table: AgentTable, root: Agent, above: Agent, count: number): Refusal | undefined {
  const { childrenPerKey, agentDepth } = LIMITS;
  if (table.liveChildren(root) + count > childrenPerKey.value)
    return refusal('busy', `This key already has ${table.liveChildren(root)} sub-agents.`, {
      rule: 'limit:agents.childrenPerKey',
      remedy: `mezz kill ${root.name} ends the ones that are done`,
    });
  return table.chain(above).length + count <= agentDepth.value
    ? undefined
    : refusal('bad_request', `A sub-agent below ${above.name} would make its chain of parents too long.`, {
        rule: 'limit:agents.agentDepth',
        remedy: 'open the agent with fewer parents above it',
      });
}

interface Step {
  readonly key: string;
  readonly name: string;
}

function subPath(key: KeyHolder, identity: Identity, headers: readonly string[]): Step[] {
  const path: Step[] = [];
  const label = header(headers, 'x-mezz-agent');
  if (label !== undefined && /^[\w.@-]{1,64}$/.test(label)) path.push({ key: `label/${label}`, name: label });
  if (key.pid === null && identity.session !== undefined) {
    path.push({ key: `session/${identity.session}`, name: identity.session.slice(0, 8) });
  }
  if (identity.subParent !== undefined && identity.subParent !== identity.sub) {
    path.push({ key: `sub/${identity.subParent}`, name: identity.subParent.slice(0, 12) });
  }
  if (identity.sub !== undefined) {
    path.push({ key: `sub/${identity.sub}`, name: identity.subName ?? identity.sub.slice(0, 12) });
  }
  return path;
}
