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
  if (identity.client !== 'unknown' && (root.client === 'unknown' || root.client === 'generic')) {
    root.client = identity.client;
  }
  let agent = root;
  const path = subPath(key, identity, headers);
  for (const step of path) {
    const isSub = step.key.startsWith('sub/');
    const known =
      table.findSub(agent.pid, step.key) ?? (isSub ? table.findBelow(agent, step.key) : undefined);
    if (known) {
      agent = known;
      continue;
    }
    if (table.liveChildren(root) >= LIMITS.childrenPerKey.value) {
      return refusal('busy', `This key already has ${LIMITS.childrenPerKey.value} sub-agents.`, {
        rule: 'limit:agents.childrenPerKey',
        remedy: `mezz kill ${root.name} ends the ones that are done`,
      });
    }
    agent = table.add(
      {
        name: `${agent.name}/${step.name}`.replaceAll('/', '.'),
        parent: agent.pid,
        owner: root.owner,
        keyId: key.keyId,
        // A sub-agent is of its parent's client, whatever name that was opened under.
        client: isSub ? agent.client : identity.client,
        subKey: step.key,
        level: root.level,
        nice: agent.nice,
        cwd: root.cwd,
      },
      now,
    );
    opened.push(agent);
  }
  return { agent, opened };
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
