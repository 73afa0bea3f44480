/**
 * What an MCP client may ask, whatever its era: lists are answered from what servers offer, in pages; everything else is
 * a syscall. What differs between the eras is in modern.ts and sessions.ts.
 */
import { ERRORS, type Refusal } from '../../base/errors.ts';
import type { CallId } from '../../base/ids.ts';
import { isRecord, type Json, type JsonRecord, tableOf } from '../../base/json.ts';
import { MODERN, RPC, type RpcReply, rpcError, type ServerMethod } from '../../base/mcp.ts';
import type { Asking } from '../../base/ports.ts';
import { errorText } from '../../wire/errors.ts';
import type { Caller, Kernel, KernelTask, ServerView } from '../kernel.ts';
import { LIMITS } from '../limits.ts';
import { namedUse } from '../uses.ts';

/** The answer to a request, and the call that it is of. */
export interface Performed {
  readonly reply: RpcReply;
  readonly call?: CallId | undefined;
}

/** One request, by a caller who sees all servers or `only` one. */
export interface Asked {
  readonly kernel: Kernel;
  readonly caller: Caller;
  readonly only: string | undefined;
  readonly method: string;
  readonly params: JsonRecord;
  /** A cut connection is not the client's word that it wants the call no more. */
  readonly outlives: boolean;
  /** Gets the task that a call becomes when it takes long, where the client takes tasks. */
  readonly deferred?: ((task: KernelTask) => void) | undefined;
}

/** Declared whatever servers there are: those that say nothing of their own offer empty lists. */
export const CAPABILITIES = {
  tools: { listChanged: true },
  prompts: { listChanged: true },
  resources: { listChanged: true, subscribe: true },
  completions: {},
};

const LISTS = tableOf<readonly [member: string, of: Exclude<keyof ServerView, 'ttlMs'>]>({
  'tools/list': ['tools', 'tools'],
  'prompts/list': ['prompts', 'prompts'],
  'resources/list': ['resources', 'resources'],
  'resources/templates/list': ['resourceTemplates', 'templates'],
});

const SYSCALLS: ReadonlySet<string> = new Set<ServerMethod>([
  'tools/call',
  'resources/read',
  'prompts/get',
  'completion/complete',
]);

/** undefined: there is no such method in any era. */
export async function perform(
  asked: Asked,
  asking: Asking,
  signal: AbortSignal,
): Promise<Performed | undefined> {
  const { method, params } = asked;
  if (LISTS[method]) return { reply: await list(asked) };
  if (!SYSCALLS.has(method)) return undefined;
  const wrong = misses(method as ServerMethod, params);
  if (wrong !== undefined) return { reply: rpcError(RPC.invalidParams, wrong) };
  return request(asked, method as ServerMethod, asking, signal);
}

/** What a request must name; a text where it does not. */
function misses(method: ServerMethod, { name, uri, ref, arguments: input }: JsonRecord): string | undefined {
  if (method === 'resources/read') return typeof uri === 'string' ? undefined : `${method} takes a uri`;
  if (input !== undefined && !isRecord(input)) return `${method} takes an object of arguments`;
  if (method === 'completion/complete') return isRecord(ref) ? undefined : `${method} takes a ref`;
  return typeof name === 'string' ? undefined : `${method} takes a name`;
}

export async function request(
  { kernel, caller, only, params, outlives, deferred }: Asked,
  method: ServerMethod,
  asking: Asking,
  signal: AbortSignal,
): Promise<Performed> {
  // A call that brings what its server asked for is another than the one before, whatever its client names it.
  const isAgain = params.inputResponses !== undefined || params.requestState !== undefined;
  const use = isAgain ? undefined : namedUse(params._meta);
  const { call, reply } = await kernel.request(
    caller,
    only,
    { method, params, asking },
    { use, outlives, deferred },
    signal,
  );
  return { call, reply: 'code' in reply ? refused(method, params, reply) : reply };
}

/** A refused tool call is a result that the model reads, not an error that its client hides; an unknown name is an error. */
export function refused(method: ServerMethod, params: JsonRecord, why: Refusal): RpcReply {
  const text = errorText(why);
  if (why.code === 'not_found')
    return rpcError(RPC.invalidParams, text, params.uri === undefined ? undefined : { uri: params.uri });
  if (method === 'tools/call') return { result: { content: [{ type: 'text', text }], isError: true } };
  // Outside of the codes that JSON-RPC and MCP keep for themselves.
  return rpcError(ERRORS[why.code].status, text, { code: why.code });
}

async function list({ kernel, caller, only, method, params }: Asked): Promise<RpcReply> {
  const [member, of] = LISTS[method] as (typeof LISTS)[string];
  const view = await kernel.show(caller, only);
  if ('code' in view) return rpcError(RPC.invalidParams, errorText(view));
  const from = params.cursor === undefined ? 0 : cursorOf(params.cursor);
  if (from === undefined) return rpcError(RPC.invalidParams, 'this cursor is not one of mezz');
  const end = from + LIMITS.pageItems.value;
  const more = end < view[of].length ? { nextCursor: `at-${end}` } : {};
  return {
    result: { [member]: view[of].slice(from, end), ...more, ttlMs: view.ttlMs, cacheScope: 'private' },
  };
}

function cursorOf(cursor: unknown): number | undefined {
  const at = typeof cursor === 'string' ? /^at-(\d{1,9})$/.exec(cursor)?.[1] : undefined;
  return at === undefined ? undefined : Number(at);
}

/** The members that only the newer era has are left out for the older one, and the other way round. */
export function inEra(reply: RpcReply, version: string, serverInfo: JsonRecord): RpcReply {
  if ('error' in reply)
    return version === MODERN && reply.error.code === OLD_NOT_FOUND
      ? { error: { ...reply.error, code: RPC.invalidParams } }
      : reply;
  if (version !== MODERN) {
    const { resultType, ttlMs, cacheScope, ...rest } = reply.result;
    const told = Array.isArray(rest.tools) ? { ...rest, tools: rest.tools.map(earlierTool) } : rest;
    return { result: version < LINKS_SINCE ? withoutLinks(told) : told };
  }
  // Each read is decided on: what is public at its server is not so here.
  const scope = reply.result.cacheScope === undefined ? {} : { cacheScope: 'private' };
  const _meta = metaOf(reply.result, serverInfo);
  return { result: { resultType: 'complete', ...reply.result, ...scope, _meta } };
}

/**
 * A definition as clients of the older era can read it. They know no schema that is a plain word, true or false, and of a
 * result only the schema of an object.
 */
function earlierTool(tool: Json): Json {
  if (!isRecord(tool)) return tool;
  const { inputSchema, outputSchema, ...rest } = tool;
  const isOfObject = isRecord(outputSchema) && outputSchema.type === 'object';
  return {
    ...rest,
    inputSchema: withoutWords(inputSchema),
    ...(isOfObject ? { outputSchema: withoutWords(outputSchema) } : {}),
  };
}

function withoutWords(schema: Json | undefined): Json {
  if (!isRecord(schema) || !isRecord(schema.properties)) return schema ?? null;
  const said = Object.entries(schema.properties).map(([name, one]) => [name, WORDS.get(one) ?? one]);
  return { ...schema, properties: Object.fromEntries(said) };
}

/** JSON Schema 2020-12, 4.3.2. */
const WORDS: ReadonlyMap<Json, JsonRecord> = new Map<Json, JsonRecord>([
  [true, {}],
  [false, { not: {} }],
]);

/** The first version whose results may hold links to resources. */
const LINKS_SINCE = '2025-06-18';

function withoutLinks(result: JsonRecord): JsonRecord {
  const { content } = result;
  if (!Array.isArray(content)) return result;
  return { ...result, content: content.filter((item) => !isRecord(item) || item.type !== 'resource_link') };
}

/** Up to 2025-11-25: no such resource. */
const OLD_NOT_FOUND = -32002;

const metaOf = ({ _meta: meta }: JsonRecord, serverInfo: JsonRecord): JsonRecord => ({
  ...(isRecord(meta) ? meta : {}),
  'io.modelcontextprotocol/serverInfo': serverInfo,
});
