/** Verbs about what is stored: how much it is, whether it is sound, copies, retention, erasure. */
import { stat } from 'node:fs/promises';
import type { AgentView } from '../../base/control.ts';
import { type Refusal, refusal } from '../../base/errors.ts';
import { MESSAGE, REQUEST } from '../../db/schema/journal.ts';
import { CHANGE, type ChangeRow, RESULT, type ResultRow } from '../../db/schema/tools.ts';
import type { Batch } from '../../db/store.ts';
import { diskFree } from '../../drivers/disk.ts';
import { takeFresh } from '../../gate/changes.ts';
import type { Gate } from '../../gate/gate.ts';
import { proveBalances } from '../../gate/proof.ts';
import { verifyAudit } from '../../journal/audit.ts';
import { ofCalls, planErasure, requestsOf } from '../../journal/erasure.ts';
import { retire } from '../../journal/retention.ts';
import { type ControlContext, type Handlers, selectAgent } from './context.ts';
import { exportAll } from './export.ts';
import { checkRows } from './fsck.ts';

type StoreVerb = 'audit.verify' | 'store' | 'du' | 'backup' | 'fsck' | 'gc' | 'forget' | 'export';
type Forgotten = { agents: AgentView['pid'][]; blobs: number; bytes: number; shared: number };

export const storeVerbs: Handlers<StoreVerb> = {
  async 'audit.verify'({ gate }) {
    const { size, pruned, root, findings } = await verifyAudit(gate.parts.store);
    return {
      entries: size,
      pruned,
      root: Buffer.from(root).toString('hex'),
      problems: findings.map((finding) => `${finding.code} at ${finding.seq}: ${finding.detail}`),
    };
  },

  async store({ gate }) {
    const { entries, blobs, blobBytes, fileBytes, schemaVersion } = await gate.parts.store.stats();
    return { entries, blobs, blobBytes, fileBytes, schemaVersion };
  },

  async du({ gate, stateDir }) {
    const { fileBytes } = await gate.parts.store.stats();
    return { fileBytes, freeBytes: diskFree(stateDir), ...(await gate.parts.store.sizes()) };
  },

  async backup({ gate }, { path }) {
    if (!path.startsWith('/')) return refusal('bad_request', 'The path of a backup must be absolute.');
    await gate.parts.store.backup(path);
    return { path, bytes: (await stat(path)).size };
  },

  async fsck(context) {
    const calls = await checkRows(context);
    const balances = await proveBalances(context.gate.parts);
    return {
      checked: calls.checked + balances.checked,
      problems: [...calls.problems, ...balances.problems],
    };
  },

  async gc({ gate, retention }, { beforeMs, keepBytes, entriesBeforeMs, dryRun = false }) {
    const given = {
      ...(beforeMs === undefined ? {} : { bodiesBeforeMs: beforeMs }),
      ...(keepBytes === undefined ? {} : { keepBytes }),
      ...(entriesBeforeMs === undefined ? {} : { entriesBeforeMs }),
    };
    const rule = Object.keys(given).length === 0 ? retention() : given;
    return { ...(await retire(gate.parts, { ...rule, dryRun })), dryRun };
  },

  async forget(context, request) {
    if ((request.agent === undefined) === (request.owner === undefined))
      return refusal('bad_request', 'Forget one agent, or one owner.', { remedy: 'mezz forget --help' });
    const gone =
      request.owner === undefined
        ? await forgetAgent(context, request.agent ?? '', request.tree ?? false)
        : await forgetOwner(context.gate, request.owner);
    if (!('code' in gone)) await context.gate.parts.store.scrub();
    return gone;
  },

  async export({ gate }, { directory, bodies }) {
    if (!directory.startsWith('/'))
      return refusal('bad_request', 'The directory of an export must be absolute.');
    return exportAll(gate.parts.store, directory, bodies ?? false);
  },
};

/** Bodies that only calls of this agent (or of those below it too) use; the secret of the owner's commitments stays. */
async function forgetAgent(
  context: ControlContext,
  selector: string,
  tree: boolean,
): Promise<Forgotten | Refusal> {
  const agent = selectAgent(context, selector);
  if ('code' in agent) return agent;
  const { parts } = context.gate;
  const agents = new Set<number>((tree ? parts.agents.tree(agent) : [agent]).map(({ pid }) => pid));
  const before = await parts.store.stats();
  const questions = await eraseQuestions(context.gate, agents);
  parts.results.erase(agents);
  const { erases, deletes, shared } = await planErasure(parts.store, parts.context, agent.owner, agents);
  const body = { owner: agent.owner, agents: [...agents].slice(0, 64), bodies: erases.length, shared };
  parts.broker.versions.erase(agents);
  const seen = takeFresh(parts);
  await parts.journal.append({
    entries: [{ kind: 'erase', agent: agent.pid, body }],
    puts: [...questions, ...seen.puts],
    deletes: [...deletes, ...parts.uses.erase(agents), ...parts.tasks.erase(agents), ...seen.deletes],
    erases,
  });
  const after = await parts.store.stats();
  const bytes = Math.max(0, before.blobBytes - after.blobBytes);
  return { agents: [...agents], blobs: erases.length, bytes, shared };
}

/** Everything of an owner, and the secret without which no commitment of theirs can be linked to a content. */
async function forgetOwner(gate: Gate, owner: string): Promise<Forgotten | Refusal> {
  const { parts } = gate;
  const agents = [...parts.agents.all()].filter((agent) => agent.owner === owner).map(({ pid }) => pid);
  if (agents.length === 0)
    return refusal('not_found', `There is no owner "${owner}".`, {
      remedy: 'mezz ps --all --json names them',
    });
  const questions = await eraseQuestions(gate, new Set<number>(agents));
  parts.broker.versions.erase(new Set(agents));
  const seen = takeFresh(parts);
  const gone = new Set(agents);
  const deletes = [...parts.uses.erase(gone), ...parts.tasks.erase(gone), ...seen.deletes];
  for await (const [, { call }] of requestsOf(parts.store, owner))
    deletes.push({ table: REQUEST, key: [call] });
  for (const table of [CHANGE, RESULT])
    for await (const { call, key } of ofCalls<ChangeRow | ResultRow>(parts.store, table, owner))
      deletes.push({ table, key: [call, key] });
  parts.results.erase(new Set(agents));
  const messages = await parts.store.range(MESSAGE, { prefix: [owner], limit: Number.MAX_SAFE_INTEGER });
  deletes.push(...messages.map(({ id }) => ({ table: MESSAGE, key: [owner, id] })));
  parts.context.forgetKnown();
  const { blobs, bytes } = await parts.store.prune({ owner });
  await parts.journal.append({
    entries: [{ kind: 'erase', agent: 0, body: { owner, bodies: blobs, salt: true } }],
    puts: [...questions, ...seen.puts],
    deletes: [...deletes, ...parts.salts.forget(owner)],
  });
  parts.context.forgetKnown();
  return { agents, blobs, bytes, shared: 0 };
}

/** Questions hold arguments to be read by a person: those go too, and a call that still waits for one is refused. */
async function eraseQuestions(
  { parts }: Gate,
  agents: ReadonlySet<number>,
): Promise<NonNullable<Batch['puts']>> {
  const { closed, puts } = await parts.approvals.erase(parts.store, agents);
  for (const id of closed) parts.waits.wakeAll('approval', id);
  return puts;
}
