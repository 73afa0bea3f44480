/**
 * Erasing what one agent said and read. Bodies are stored once for all agents of an owner, so what others still use
 * stays, and the answer says how much that is. Invariant: nothing that a call of another agent needs is erased, also
 * when that call arrives while the erasure looks.
 */
import { isRecord, parseJson } from '../base/json.ts';
import { CALL, MESSAGE, type MessageRow, REQUEST, type RequestRow } from '../db/schema/journal.ts';
import { CHANGE, type ChangeRow, RESULT, type ResultRow } from '../db/schema/tools.ts';
import type { Batch, BlobKey, Store, Table } from '../db/store.ts';
import type { ContextStore } from './context.ts';
import { LIMITS } from './limits.ts';

export interface Erasure {
  readonly erases: readonly BlobKey[];
  readonly deletes: NonNullable<Batch['deletes']>;
  /** Bodies of the agents that calls of others use too: they stay. */
  readonly shared: number;
}

/** What of an owner the calls of these agents use, and the others'. */
interface Use {
  readonly calls: string[];
  readonly blobs: Set<string>;
  readonly messages: Set<string>;
}

const noUse = (): Use => ({ calls: [], blobs: new Set(), messages: new Set() });

/** Blobs and rows that only calls of `agents` use. The caller commits them at once, before it waits for anything. */
export async function planErasure(
  store: Store,
  context: ContextStore,
  owner: string,
  agents: ReadonlySet<number>,
): Promise<Erasure> {
  // From here on the context remembers only what arriving calls use: they may count on it being stored.
  context.forgetKnown();
  const messages = await readMessages(store, owner);
  const mine = noUse();
  const others = noUse();
  for await (const [agent, request] of requestsOf(store, owner))
    addUse(agents.has(agent) ? mine : others, request, messages);
  const changes: ChangeRow[] = [];
  for await (const change of ofCalls(store, CHANGE, owner)) {
    if (change.kind === 'file' && change.before !== '')
      (agents.has(change.agent) ? mine : others).blobs.add(change.before);
    if (agents.has(change.agent)) changes.push(change);
  }
  const results: ResultRow[] = [];
  for await (const result of ofCalls(store, RESULT, owner)) {
    (agents.has(result.agent) ? mine : others).blobs.add(result.hash);
    if (agents.has(result.agent)) results.push(result);
  }
  const needed = (kind: 'b' | 'm', id: string, use: Set<string>) =>
    use.has(id) || context.knows(owner, kind, id);
  const blobs = [...mine.blobs].filter((hash) => !needed('b', hash, others.blobs));
  const rows = [...mine.messages].filter((id) => !needed('m', id, others.messages));
  context.forgetKnown();
  return {
    erases: blobs.map((hash) => ({ owner, hash })),
    deletes: [
      ...mine.calls.map((id) => ({ table: REQUEST, key: [id] })),
      ...rows.map((id) => ({ table: MESSAGE, key: [owner, id] })),
      ...changes.map(({ call, key }) => ({ table: CHANGE, key: [call, key] })),
      ...results.map(({ call, key }) => ({ table: RESULT, key: [call, key] })),
    ],
    shared: mine.blobs.size - blobs.length,
  };
}

async function readMessages(store: Store, owner: string): Promise<Map<string, MessageRow>> {
  const found = new Map<string, MessageRow>();
  for (let from = ''; ; ) {
    const page = await store.range(MESSAGE, { prefix: [owner], from, limit: LIMITS.page.value });
    for (const row of page) found.set(row.id, row);
    if (page.length < LIMITS.page.value) return found;
    from = page.at(-1)?.id ?? '';
  }
}

/** Every stored request of an owner with the agent whose call it was. */
export async function* requestsOf(
  store: Store,
  owner: string,
): AsyncGenerator<readonly [agent: number, request: RequestRow]> {
  const limit = LIMITS.page.value;
  for (let from = ''; ; ) {
    const page = await store.range(REQUEST, { from, limit });
    for (const request of page) {
      if (request.owner !== owner || request.call === from) continue;
      const call = await store.get(CALL, [request.call]);
      yield [call?.agent ?? 0, request];
    }
    if (page.length < limit) return;
    from = page.at(-1)?.call ?? '';
  }
}

/** What calls of an owner's agents changed, or what of their results is kept: a call's rows differ by `key`. */
export async function* ofCalls<R extends ChangeRow | ResultRow>(
  store: Store,
  table: Table<R>,
  owner: string,
): AsyncGenerator<R> {
  const limit = LIMITS.page.value;
  let last = { call: '', key: '' };
  for (;;) {
    const page = await store.range(table, { from: last.call, limit });
    // A call's rows may begin on the page before: those of it are seen already.
    const next = page.filter(({ call, key }) => call > last.call || key > last.key);
    for (const row of next) if (row.owner === owner) yield row;
    const end = page.at(-1);
    if (page.length < limit || !end) return;
    last = end;
  }
}

function addUse(use: Use, request: RequestRow, messages: ReadonlyMap<string, MessageRow>): void {
  use.calls.push(request.call);
  use.blobs.add(request.envelope);
  const parts = parseJson(request.parts);
  for (const part of Array.isArray(parts) ? parts : [])
    if (isRecord(part) && typeof part.hash === 'string') use.blobs.add(part.hash);
  // Up the chain until where it is known already: a conversation is walked once, whatever the number of its calls.
  for (let id = request.head; id !== '' && !use.messages.has(id); ) {
    use.messages.add(id);
    const row = messages.get(id);
    if (!row) return;
    use.blobs.add(row.blob);
    id = row.prev;
  }
}
