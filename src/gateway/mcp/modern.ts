/**
 * The era without sessions (2026-07-28): each request says who asks and what it can be asked, its headers repeat its
 * body, and a server's question is the end of one request and part of the next. Invariant: nothing is performed whose
 * headers say something else than its body.
 */
import type { IncomingMessage } from 'node:http';
import { isRecord, type Json, type JsonRecord, stringOf, tableOf } from '../../base/json.ts';
import {
  decodeHeader,
  EARLIER,
  headerParams,
  headerValue,
  META,
  MODERN,
  NAMED,
  RPC,
  type RpcReply,
  rpcError,
} from '../../base/mcp.ts';
import type { Asking } from '../../base/ports.ts';
import type { KernelTask } from '../kernel.ts';
import type { Answer } from './answer.ts';
import { type Feeds, listen } from './feeds.ts';
import { type Asked, CAPABILITIES, inEra, perform } from './methods.ts';
import { type Suspended, SuspendedCall } from './suspended.ts';
import { created, type LiveTasks, NO_TASKS, TASKS, takesTasks, withoutTasks } from './tasks.ts';

export const VERSIONS = [MODERN, ...EARLIER];

/** Does a request speak this era, or at least not an earlier one? */
export function isModern(request: IncomingMessage, message: JsonRecord): boolean {
  const version = request.headers['mcp-protocol-version'];
  const isOfOther = version !== undefined && !EARLIER.some((earlier) => earlier === version);
  return isOfOther || metaOf(message)[META.version] !== undefined;
}

const metaOf = ({ params }: JsonRecord): JsonRecord =>
  isRecord(params) && isRecord(params._meta) ? params._meta : {};

interface Wrong {
  readonly reply: RpcReply;
  readonly status: number;
}
const wrong = (code: number, message: string, data?: Json): Wrong => ({
  reply: rpcError(code, message, data),
  status: 400,
});

export interface Modern {
  readonly suspended: Suspended;
  readonly feeds: Feeds;
  readonly tasks: LiveTasks;
  readonly serverInfo: JsonRecord;
}

const asksForTasks = ({ notifications }: JsonRecord): boolean =>
  isRecord(notifications) && notifications.taskIds !== undefined;

/** Answers one request. */
export async function serveModern(
  modern: Modern,
  asked: Asked,
  request: IncomingMessage,
  id: Json,
  answer: Answer,
): Promise<void> {
  const { serverInfo } = modern;
  const refused =
    checkMeta(request, asked.params) ?? checkHeaders(request, asked) ?? (await checkParams(request, asked));
  if (refused) return answer.end(id, refused.reply, refused.status);
  const done = (reply: RpcReply, status?: number) => answer.end(id, inEra(reply, MODERN, serverInfo), status);
  switch (asked.method) {
    case 'server/discover':
      return done({
        result: {
          ...{ supportedVersions: VERSIONS, ttlMs: 0, cacheScope: 'private' },
          capabilities: { ...CAPABILITIES, extensions: { [TASKS]: {} } },
        },
      });
    case 'subscriptions/listen':
      if (asksForTasks(asked.params) && !takesTasks(asked.params)) return done(NO_TASKS);
      return listen(modern.feeds, asked, id, answer);
    case 'tasks/get':
    case 'tasks/update':
    case 'tasks/cancel':
      return done(takesTasks(asked.params) ? await modern.tasks.serve(asked) : NO_TASKS);
    default:
      return run(modern, asked, id, answer);
  }
}

/** Who asks, by which version: every request says so. */
function checkMeta(request: IncomingMessage, params: JsonRecord): Wrong | undefined {
  const meta = isRecord(params._meta) ? params._meta : {};
  const version = meta[META.version];
  if (typeof version !== 'string' || !isRecord(meta[META.capabilities]))
    return wrong(RPC.invalidParams, `_meta names no ${META.version} or no ${META.capabilities}`);
  if (request.headers['mcp-protocol-version'] !== version)
    return wrong(RPC.headerMismatch, 'the header mcp-protocol-version is not what the body says');
  if (version === MODERN) return undefined;
  return wrong(RPC.unsupportedVersion, 'Unsupported protocol version', {
    supported: VERSIONS,
    requested: version,
  });
}

/** Whoever routes by a header must see what the body says. */
function checkHeaders(request: IncomingMessage, { method, params }: Asked): Wrong | undefined {
  const named = NAMED[method];
  const told: readonly [string, unknown][] = [
    ['mcp-method', method],
    ...(named ? [['mcp-name', params[named]] as [string, unknown]] : []),
  ];
  const other = told.find(([name, value]) => {
    const header = request.headers[name];
    return typeof header !== 'string' || decodeHeader(header) !== value;
  });
  return other && wrong(RPC.headerMismatch, `the header ${other[0]} is not what the body says`);
}

/** The same for the arguments that a tool's own schema puts into headers. */
async function checkParams(
  request: IncomingMessage,
  { kernel, only, method, params }: Asked,
): Promise<Wrong | undefined> {
  if (method !== 'tools/call') return undefined;
  const tool = await kernel.definition(only, stringOf(params.name));
  const marked = headerParams(tool?.inputSchema);
  if (typeof marked === 'string') return undefined;
  const input = isRecord(params.arguments) ? params.arguments : {};
  for (const { header, path } of marked) {
    const value = headerValue(input, path);
    const told = request.headers[header];
    const read = typeof told === 'string' ? decodeHeader(told) : undefined;
    const isSame = value === undefined ? told === undefined : read === value || sameNumber(read, value);
    if (!isSame) return wrong(RPC.headerMismatch, `the header ${header} is not what the arguments say`);
  }
  return undefined;
}

const sameNumber = (a: string | undefined, b: string): boolean =>
  a !== undefined && a.trim() !== '' && Number(a) === Number(b);

/** A syscall or a list; its answer may come in pieces, with questions between them. */
async function run(
  { suspended, tasks, serverInfo }: Modern,
  asked: Asked,
  id: Json,
  answer: Answer,
): Promise<void> {
  const { method, params, caller, only } = asked;
  const named = NAMED[method];
  const binding = JSON.stringify([caller.keyId, only ?? null, method, (named && params[named]) ?? null]);
  const found = suspended.read(params.requestState, binding);
  if (found === 'foreign')
    return answer.end(
      id,
      rpcError(RPC.invalidParams, 'this requestState belongs to no call of this name'),
      400,
    );
  if (found && 'call' in found) {
    answer.onLeft(() => found.call.abandon(answer));
    return found.call.resume(answer, id, params.inputResponses);
  }
  const call = new SuspendedCall(binding, suspended);
  call.answerTo(answer, id);
  answer.onLeft(() => call.abandon(answer));
  const deferred = (task: KernelTask) => {
    if (call.becomes(inEra(created(task), MODERN, serverInfo))) tasks.enter(task, call);
  };
  const own = {
    ...asked,
    params: found ? { ...params, requestState: found.state } : params,
    deferred: method === 'tools/call' && takesTasks(params) ? deferred : undefined,
  };
  const performed = await perform(own, askingOf(own, call), call.signal);
  tasks.leave(call);
  if (!performed) return answer.end(id, rpcError(RPC.noMethod, `mezz serves no ${method}`), 404);
  const reply = inEra(seal(performed.reply, suspended, binding), MODERN, serverInfo);
  call.end(reply, (to) => to.report(asked.kernel, performed.call));
}

function askingOf({ caller, params }: Asked, call: SuspendedCall): Asking {
  const meta = isRecord(params._meta) ? params._meta : {};
  const capabilities = meta[META.capabilities];
  const level = meta[META.logLevel];
  const token = meta.progressToken;
  return {
    who: caller.keyId,
    capabilities: isRecord(capabilities) ? withoutTasks(capabilities) : {},
    logLevel: typeof level === 'string' ? level : undefined,
    takesInputRequired: true,
    wantsProgress: token !== undefined,
    told: (method, told) => call.tell({ method, params: withToken(told, token) }),
    asked: (method, question) =>
      canBeAsked(capabilities, method)
        ? call.asked(method, question)
        : Promise.resolve(rpcError(RPC.noMethod, `the client cannot be asked ${method}`)),
  };
}

/** Progress is told under the token that the client chose. */
export const withToken = (params: JsonRecord, token: Json | undefined): JsonRecord =>
  params.progressToken === undefined || token === undefined ? params : { ...params, progressToken: token };

const ASKED_BY = tableOf<string>({
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
});

/** Does the client say that it answers this? */
export function canBeAsked(capabilities: Json | undefined, method: string): boolean {
  const capability = ASKED_BY[method];
  return capability !== undefined && isRecord(capabilities) && capabilities[capability] !== undefined;
}

function seal(reply: RpcReply, suspended: Suspended, binding: string): RpcReply {
  if ('error' in reply || typeof reply.result.requestState !== 'string') return reply;
  return { result: { ...reply.result, requestState: suspended.seal(reply.result.requestState, binding) } };
}
