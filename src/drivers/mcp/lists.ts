/**
 * What a tool server offers, asked list by list and page by page, and only for what its capabilities name. Kept until it
 * says that the list has changed, or for as long as it says that the list stays as it is.
 */
import { type Refusal, refusal } from '../../base/errors.ts';
import { isRecord, type JsonRecord, stringOf } from '../../base/json.ts';
import type { Described } from '../../base/ports.ts';
import type { Ticket } from '../../base/ticket.ts';
import { LIMITS } from '../limits.ts';
import { flawOf } from './definitions.ts';
import type { Reply } from './peer.ts';

type Ask = (method: string, params: JsonRecord) => Promise<Reply>;

interface Listed {
  readonly items: readonly JsonRecord[];
  readonly ttlMs: number | undefined;
}

/** What clients cannot read is not offered, and told; `wrong` says what else is wrong with a tool. */
export async function describeServer(
  hello: JsonRecord,
  ask: Ask,
  wrong: (tool: JsonRecord) => string | undefined = () => undefined,
): Promise<Described | Extract<Reply, string | { error: unknown }>> {
  const info = isRecord(hello.serverInfo) ? hello.serverInfo : {};
  const capabilities = isRecord(hello.capabilities) ? hello.capabilities : {};
  const lists: Listed[] = [];
  const unreadable: string[] = [];
  for (const [method, member, isOffered] of [
    ['tools/list', 'tools', true],
    ['prompts/list', 'prompts', capabilities.prompts !== undefined],
    ['resources/list', 'resources', capabilities.resources !== undefined],
    ['resources/templates/list', 'resourceTemplates', capabilities.resources !== undefined],
  ] as const) {
    const listed = isOffered ? await readList(ask, method, member) : NOTHING;
    if (typeof listed === 'string') return listed;
    // A server without tools need not know the method.
    if ('error' in listed && capabilities[member] !== undefined) return listed;
    const { items, ttlMs } = 'error' in listed ? NOTHING : listed;
    const flaw = (item: JsonRecord) => flawOf(member, item) ?? (member === 'tools' ? wrong(item) : undefined);
    lists.push({ items: readable(items, flaw, unreadable), ttlMs });
  }
  const [tools = NOTHING, prompts = NOTHING, resources = NOTHING, templates = NOTHING] = lists;
  const ttls = lists.flatMap(({ ttlMs }) => ttlMs ?? []);
  return {
    software: stringOf(info.name ?? ''),
    tools: tools.items,
    prompts: prompts.items,
    resources: resources.items,
    templates: templates.items,
    capabilities,
    ...(unreadable.length > 0 ? { unreadable } : {}),
    ...(ttls.length > 0 ? { ttlMs: Math.min(...ttls) } : {}),
  };
}

function readable(
  items: readonly JsonRecord[],
  flawOf: (item: JsonRecord) => string | undefined,
  unreadable: string[],
): JsonRecord[] {
  return items.filter((item) => {
    const flaw = flawOf(item);
    const name = item.name ?? item.uri ?? item.uriTemplate;
    if (flaw !== undefined)
      unreadable.push(`${typeof name === 'string' && name !== '' ? name : 'one without a name'}: ${flaw}`);
    return flaw === undefined;
  });
}

const NOTHING: Listed = { items: [], ttlMs: undefined };

async function readList(
  ask: Ask,
  method: string,
  member: string,
): Promise<Listed | Extract<Reply, string | { error: unknown }>> {
  const items: JsonRecord[] = [];
  let ttlMs: number | undefined;
  let cursor: string | undefined;
  for (let page = 0; page < LIMITS.toolPages.value; page++) {
    const listed = await ask(method, cursor === undefined ? {} : { cursor });
    if (typeof listed === 'string' || 'error' in listed) return listed;
    const { result } = listed;
    const on = result[member];
    if (Array.isArray(on)) items.push(...on.filter(isRecord));
    if (typeof result.ttlMs === 'number') ttlMs = Math.min(ttlMs ?? result.ttlMs, result.ttlMs);
    if (typeof result.nextCursor !== 'string') break;
    cursor = result.nextCursor;
  }
  return { items, ttlMs };
}

/** Why a call has no answer: it was sent, and nobody knows what came of it. */
export function inDoubt(server: string, what: string, reply: Exclude<Reply, object>): Refusal {
  const how = {
    gone: 'ended',
    late: `did not answer in ${LIMITS.toolMs.value / 1000} s`,
    left: 'was told to stop',
    unsent: 'was not there',
    locked: 'wanted a login',
  };
  return refusal(
    'in_doubt',
    `${server} ${how[reply]} while ${what} ran: it may or may not have taken effect.`,
    {
      remedy: 'look what is there before doing it again',
    },
  );
}

/** A tool's call carries the same key at every sending: a server that knows keys makes it once. */
export function keyed(method: string, params: JsonRecord, ticket: Ticket): JsonRecord {
  if (method !== 'tools/call') return params;
  const meta = isRecord(params._meta) ? params._meta : {};
  return { ...params, _meta: { ...meta, idempotencyKey: ticket.call } };
}
