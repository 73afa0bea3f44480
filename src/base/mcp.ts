/**
 * The Model Context Protocol as both sides of mezz speak it: versions, error codes, what a request of 2026-07-28 repeats
 * in HTTP headers (SEP-2243). Functions of values, nothing else.
 */
import { isRecord, type Json, type JsonRecord, tableOf } from './json.ts';

/** The era without sessions: each request says who asks and what it can be asked. */
export const MODERN = '2026-07-28';
/** The era of `initialize`, newest first. */
export const EARLIER = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;

export const META = {
  version: 'io.modelcontextprotocol/protocolVersion',
  client: 'io.modelcontextprotocol/clientInfo',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  server: 'io.modelcontextprotocol/serverInfo',
  logLevel: 'io.modelcontextprotocol/logLevel',
  subscription: 'io.modelcontextprotocol/subscriptionId',
} as const;

/** JSON-RPC's codes and MCP's own. */
export const RPC = {
  parseError: -32700,
  invalidRequest: -32600,
  noMethod: -32601,
  invalidParams: -32602,
  internal: -32603,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

export interface RpcError {
  readonly [key: string]: Json;
  readonly code: number;
  readonly message: string;
}
export type RpcReply = { readonly result: JsonRecord } | { readonly error: RpcError };

export const rpcError = (code: number, message: string, data?: Json): { readonly error: RpcError } => ({
  error: { code, message, ...(data === undefined ? {} : { data }) },
});

/** What agents ask of a tool server and mezz performs as a syscall. */
export type ServerMethod =
  | 'tools/call'
  | 'resources/read'
  | 'resources/subscribe'
  | 'prompts/get'
  | 'completion/complete';

/** The member of `params` that the header Mcp-Name repeats. */
export const NAMED = tableOf<'name' | 'uri' | 'taskId'>({
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
});

const SENTINEL = /^=\?base64\?(.*)\?=$/s;
const PLAIN = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/;

/** A value as a header: as it is where that is safe, else its UTF-8 in base64 between two marks. */
export const encodeHeader = (value: string): string =>
  PLAIN.test(value) && !SENTINEL.test(value) ? value : `=?base64?${Buffer.from(value).toString('base64')}?=`;

/** undefined: it is marked as base64 and is none. */
export function decodeHeader(header: string): string | undefined {
  const coded = SENTINEL.exec(header)?.[1];
  if (coded === undefined) return header;
  const bytes = Buffer.from(coded, 'base64');
  return bytes.toString('base64') === coded ? bytes.toString('utf8') : undefined;
}

export interface HeaderParam {
  /** Whole, in lower case: `mcp-param-region`. */
  readonly header: string;
  /** Where the value is in the arguments. */
  readonly path: readonly string[];
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const PRIMITIVE = new Set(['string', 'integer', 'boolean']);

/** The arguments of a tool that its schema marks with `x-mcp-header`; a text says why the marks, and so the tool, are invalid. */
export function headerParams(schema: Json | undefined): readonly HeaderParam[] | string {
  const found: HeaderParam[] = [];
  const walk = (node: Json | undefined, path: readonly string[], reachable: boolean): string | undefined => {
    if (Array.isArray(node)) return firstOf(node, (one) => walk(one, path, false));
    if (!isRecord(node)) return undefined;
    const mark = node['x-mcp-header'];
    if (mark !== undefined) {
      const header = `mcp-param-${String(mark).toLowerCase()}`;
      if (typeof mark !== 'string' || !TOKEN.test(mark))
        return `x-mcp-header "${String(mark)}" is no header name`;
      if (!reachable || path.length === 0) return `x-mcp-header "${mark}" is not on a plain property`;
      if (typeof node.type !== 'string' || !PRIMITIVE.has(node.type))
        return `x-mcp-header "${mark}" is on a value of type ${String(node.type)}`;
      if (found.some((one) => one.header === header)) return `x-mcp-header "${mark}" is used twice`;
      found.push({ header, path });
    }
    return firstOf(Object.entries(node), ([key, value]) =>
      key === 'properties' && isRecord(value)
        ? firstOf(Object.entries(value), ([name, one]) => walk(one, [...path, name], reachable))
        : walk(value, path, false),
    );
  };
  return walk(schema, [], true) ?? found;
}

const firstOf = <T>(all: Iterable<T>, problem: (one: T) => string | undefined): string | undefined => {
  for (const one of all) {
    const found = problem(one);
    if (found !== undefined) return found;
  }
  return undefined;
};

/** The value at a path as a header says it; undefined where there is none, or null. */
export function headerValue(input: JsonRecord, path: readonly string[]): string | undefined {
  let at: Json | undefined = input;
  for (const name of path) at = isRecord(at) ? at[name] : undefined;
  return typeof at === 'string' || typeof at === 'number' || typeof at === 'boolean' ? String(at) : undefined;
}

/** What every request of 2026-07-28 over HTTP carries, without what a tool's schema adds. */
export function standardHeaders(method: string, params: JsonRecord): Record<string, string> {
  const named = NAMED[method];
  const name = named && params[named];
  return {
    'mcp-protocol-version': MODERN,
    'mcp-method': method,
    ...(typeof name === 'string' ? { 'mcp-name': encodeHeader(name) } : {}),
  };
}

/** What is told of a task, whatever came of it. Times as wall time in ms. */
export interface TaskHead {
  readonly id: string;
  readonly state: 'working' | 'done' | 'cancelled';
  /** What it waits for. */
  readonly message: string | undefined;
  readonly createdAt: number;
  readonly changedAt: number;
  readonly keptMs: number;
}
