/** Verbs about the kernel itself and its store. */
import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { refusal } from '../../base/errors.ts';
import { AGENT, INTENT } from '../../db/schema/agents.ts';
import { CALL, type CallRow } from '../../db/schema/journal.ts';
import type { Row, Store, Table, Value } from '../../db/store.ts';
import { proveBalances } from '../../gate/proof.ts';
import { verifyAudit } from '../../journal/audit.ts';
import { applyEntry } from '../../journal/calls.ts';
import { type ControlContext, type Handlers, selectAgent } from './context.ts';

type UpkeepVerb =
  | 'status'
  | 'down'
  | 'audit.verify'
  | 'doctor'
  | 'config'
  | 'config.limits'
  | 'config.reload'
  | 'store'
  | 'backup'
  | 'fsck'
  | 'gc'
  | 'forget'
  | 'export';

const PAGE = 1000;

export const upkeepVerbs: Handlers<UpkeepVerb> = {
  async status(context) {
    const { gate } = context;
    const running = [...gate.flights.values()].filter((flight) => flight.startedAt !== undefined).length;
    return {
      version: context.version,
      pid: process.pid,
      origin: context.origin,
      stateDir: context.stateDir,
      startedAt: context.startedAt,
      agents: [...gate.parts.agents.all()].filter((agent) => agent.hold !== 'exited').length,
      waiting: gate.parts.waits.size,
      running,
      profile: gate.parts.access.profile,
      warnings: context.warnings(),
    };
  },

  async down(context, { graceMs }) {
    const draining = context.gate.flights.size;
    context.shutDown(Math.max(0, Math.min(600_000, graceMs ?? 10_000)));
    return { draining };
  },

  async 'audit.verify'({ gate }) {
    const { size, root, findings } = await verifyAudit(gate.parts.store);
    return {
      entries: size,
      root: Buffer.from(root).toString('hex'),
      problems: findings.map((finding) => `${finding.code} at ${finding.seq}: ${finding.detail}`),
    };
  },

  async doctor(context, { trials }) {
    return { findings: await context.doctor(trials) };
  },

  async config(context) {
    return context.config();
  },

  async 'config.limits'(context) {
    return context.configLimits();
  },

  async 'config.reload'(context) {
    return { problems: await context.reload() };
  },

  async store({ gate }) {
    const { entries, blobs, blobBytes, fileBytes, schemaVersion } = await gate.parts.store.stats();
    return { entries, blobs, blobBytes, fileBytes, schemaVersion };
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

  async gc({ gate }, { beforeMs, keepBytes }) {
    const gone = await gate.parts.store.prune({
      ...(beforeMs !== undefined ? { beforeMs } : {}),
      ...(keepBytes !== undefined ? { keepBytes } : {}),
    });
    await gate.parts.journal.append({
      entries: [
        {
          kind: 'prune',
          agent: 0,
          body: { ...gone, beforeMs: beforeMs ?? null, keepBytes: keepBytes ?? null },
        },
      ],
    });
    return gone;
  },

  async forget(context, request) {
    const agent = selectAgent(context, request.agent);
    if ('code' in agent) return agent;
    const { parts } = context.gate;
    // Salts and blobs belong to owners: erasing reaches everything of the agent's owner.
    const gone = await parts.store.prune({ owner: agent.owner });
    await parts.journal.append({
      entries: [{ kind: 'erase', agent: agent.pid, body: { owner: agent.owner, ...gone } }],
      deletes: parts.salts.forget(agent.owner),
    });
    return gone;
  },

  async export({ gate }, { directory }) {
    if (!directory.startsWith('/'))
      return refusal('bad_request', 'The directory of an export must be absolute.');
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const files = [];
    for (const table of [AGENT, CALL, INTENT] as readonly Table[]) {
      const path = join(directory, `${table.name}.jsonl`);
      files.push({ path, rows: await exportRows(gate.parts.store, table, path) });
    }
    const path = join(directory, 'journal.jsonl');
    files.push({ path, rows: await exportEntries(gate.parts.store, path) });
    return { files };
  },
};

/** Recomputes every call's row from its entries and compares; streams, a page of calls at a time. */
async function checkRows({ gate }: ControlContext): Promise<{ checked: number; problems: string[] }> {
  const { store } = gate.parts;
  const problems = await store.check();
  let checked = 0;
  let from: Value = '';
  for (;;) {
    const rows: CallRow[] = await store.range(CALL, { from, limit: PAGE });
    for (const row of rows) {
      if (row.id === from) continue;
      checked++;
      let folded: CallRow | undefined;
      for (const entry of await store.entries({ call: row.id, limit: PAGE })) {
        folded = applyEntry(folded, { ...entry, body: JSON.parse(entry.body) });
      }
      const wrong = Object.keys(row).filter(
        (column) => row[column as keyof CallRow] !== folded?.[column as keyof CallRow],
      );
      if (wrong.length > 0 && problems.length < 100)
        problems.push(`call ${row.id}: ${wrong.join(', ')} differ from the entries`);
    }
    if (rows.length < PAGE) return { checked, problems };
    from = (rows.at(-1) as CallRow).id;
  }
}

async function exportRows(store: Store, table: Table, path: string): Promise<number> {
  const file = await open(path, 'w', 0o600);
  let rows = 0;
  let last: Value | undefined;
  const key = table.key[0] as string;
  const whole = table.key.length > 1;
  for (;;) {
    const page: Row[] = await store.range(table, {
      ...(last === undefined ? {} : { from: last }),
      limit: whole ? 1_000_000 : PAGE,
    });
    for (const row of page) {
      if (!whole && row[key] === last) continue;
      rows++;
      await file.write(`${JSON.stringify(row)}\n`);
    }
    if (whole || page.length < PAGE) break;
    last = page.at(-1)?.[key];
  }
  await file.close();
  return rows;
}

async function exportEntries(store: Store, path: string): Promise<number> {
  const file = await open(path, 'w', 0o600);
  let next = 0;
  for (;;) {
    const page = await store.entries({ log: 0, fromSeq: next, limit: PAGE });
    for (const entry of page)
      await file.write(
        `${JSON.stringify({ ...entry, body: JSON.parse(entry.body), leaf: Buffer.from(entry.leaf).toString('hex') })}\n`,
      );
    if (page.length < PAGE) break;
    next = (page.at(-1)?.seq ?? next) + 1;
  }
  await file.close();
  return next;
}
