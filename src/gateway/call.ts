/** One model call from the wire to the kernel and back. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { ERRORS, type Refusal, refusal } from '../base/errors.ts';
import type { ModelCall, ModelOutcome, RequestFacts } from '../base/model.ts';
import type { Dialect } from '../wire/dialect.ts';
import { decodeBody } from '../wire/encoding.ts';
import { DIALECTS } from '../wire/registry.ts';
import { collectBody } from './body.ts';
import type { Caller, Kernel } from './kernel.ts';
import { LIMITS } from './limits.ts';
import { objectIdOf, type Route } from './routes.ts';
import { HttpSink } from './sink.ts';

type ModelRoute = Extract<Route, { to: 'model' }>;

export async function serveModel(
  kernel: Kernel,
  caller: Caller,
  route: ModelRoute,
  headers: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const dialect = DIALECTS[route.dialect];
  const body = await collectBody(request, LIMITS.bodyBytes.value);
  if ('code' in body) return refuseAtDoor(kernel, response, dialect, body);
  const decoded = body.length === 0 ? body : await decodeBody(request.headers['content-encoding'], body);
  if ('code' in decoded) return refuseAtDoor(kernel, response, dialect, decoded);
  const facts = route.kind === 'model.object' ? objectFacts(route) : dialect.readRequest(decoded);
  if ('problem' in facts) return refuseAtDoor(kernel, response, dialect, facts.problem);
  const left = new AbortController();
  response.on('close', () => left.abort());
  const extra: string[] = [];
  const sink = new HttpSink(response, extra);
  const call: ModelCall = {
    dialect: route.dialect,
    method: request.method ?? 'POST',
    path: route.upstreamPath,
    headers,
    body,
    decoded,
    facts,
    sink,
    signal: left.signal,
  };
  const walk = await kernel.model(caller, route.kind, call, (id) => extra.push('x-mezz-call', id));
  if (walk.kind === 'refused')
    return sendRefusal(response, dialect, sink, facts.stream ? 0 : undefined, walk.refusal, extra);
  finish(response, dialect, sink, facts.stream, walk.outcome, extra);
}

/** A request about an upstream object has no body to read facts in: the id in its path is the fact. */
function objectFacts(route: ModelRoute): RequestFacts {
  const id = objectIdOf(route.upstreamPath);
  return {
    dialect: route.dialect,
    model: '',
    stream: /[?&]stream=true/.test(route.upstreamPath),
    choices: 1,
    messages: [],
    hostedTools: [],
    toolResults: [],
    objects: id === undefined ? [] : [id],
    lastIsUser: false,
  };
}

function finish(
  response: ServerResponse,
  dialect: Dialect,
  sink: HttpSink,
  stream: boolean,
  outcome: ModelOutcome,
  extra: readonly string[],
): void {
  if (outcome.kind === 'broken') {
    const events = stream ? outcome.eventsOut : undefined;
    return sendRefusal(response, dialect, sink, events, outcome.refusal, extra);
  }
  if (!sink.headSent)
    sink.head(outcome.status, [...outcome.headers, 'content-length', String(outcome.tail.length)]);
  response.end(outcome.tail);
}

/** `eventsOut`: how many events of a stream have left; undefined where the client asked for no stream. */
function sendRefusal(
  response: ServerResponse,
  dialect: Dialect,
  sink: HttpSink,
  eventsOut: number | undefined,
  why: Refusal,
  extra: readonly string[],
): void {
  if (response.destroyed) return;
  if (!sink.headSent) return sendError(response, dialect, why, extra);
  // Headers are gone: a stream ends with its dialect's error event, a plain body can only be cut.
  if (eventsOut !== undefined) response.end(dialect.encodeErrorEvent(why, eventsOut));
  else response.destroy();
}

/** The way out for what never reaches the gate. */
export function refuseAtDoor(kernel: Kernel, response: ServerResponse, dialect: Dialect, why: Refusal): void {
  kernel.refusedAtDoor(why.code);
  sendError(response, dialect, why);
}

export function sendError(
  response: ServerResponse,
  dialect: Dialect,
  why: Refusal,
  extra: readonly string[] = [],
): void {
  if (response.destroyed || response.headersSent) return;
  const error = dialect.encodeError(why);
  const status = finalStatus(error.status, why, response.req.headers);
  const headers = [...error.headers, ...extra, 'content-length', String(error.body.length)];
  // What is left of the request is not read: the connection cannot be used again.
  if (why.code === 'too_large' || why.code === 'slow_client') headers.push('connection', 'close');
  response.writeHead(status, headers as unknown as Record<string, string>);
  response.end(error.body);
}

/**
 * Codex (0.169.0, tried) sends a request six times over ten seconds whatever it is refused with, but for a 400: what
 * retrying cannot help is a 400 to it.
 */
function finalStatus(status: number, { code }: Refusal, headers: IncomingHttpHeaders): number {
  const isCodex =
    headers['x-codex-turn-metadata'] !== undefined || headers['x-codex-window-id'] !== undefined;
  return isCodex && status < 500 && !ERRORS[code].retry ? 400 : status;
}

export const notFound = (method: string, path: string): Refusal =>
  refusal('not_found', `There is no route ${method} ${path}.`, {
    remedy: 'set the base URL that mezz env prints',
  });
