/** One model call from the wire to the kernel and back. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { ERRORS, type Refusal, refusal } from '../base/errors.ts';
import type { ModelCall, ModelOutcome, RequestFacts } from '../base/model.ts';
import type { Dialect } from '../wire/dialect.ts';
import { DIALECTS } from '../wire/registry.ts';
import type { Bodies } from './body.ts';
import type { Caller, Kernel } from './kernel.ts';
import { LIMITS, type Patience } from './limits.ts';
import { objectIdOf, type Route } from './routes.ts';
import { HttpSink } from './sink.ts';

/** What serving a model call needs of the gateway. */
interface Desk {
  readonly kernel: Kernel;
  readonly bodies: Bodies;
  readonly patience: Patience;
}

type ModelRoute = Extract<Route, { to: 'model' }>;

export async function serveModel(
  desk: Desk,
  caller: Caller,
  route: ModelRoute,
  headers: readonly string[],
  signal: AbortSignal,
  response: ServerResponse,
): Promise<void> {
  const { kernel, bodies } = desk;
  const dialect = DIALECTS[route.dialect];
  const held = bodies.hold();
  try {
    const body = await held.collect(response.req, LIMITS.bodyBytes.value);
    const encoding = response.req.headers['content-encoding'];
    const decoded = 'code' in body || encoding === undefined ? body : await held.decode(encoding, body);
    if ('code' in body) return refuseAtDoor(kernel, response, dialect, body);
    if ('code' in decoded) return refuseAtDoor(kernel, response, dialect, decoded);
    const facts = route.kind === 'model.object' ? objectFacts(route) : dialect.readRequest(decoded);
    if ('problem' in facts) return refuseAtDoor(kernel, response, dialect, facts.problem);
    const method = response.req.method ?? 'POST';
    const asked = { method, path: route.upstreamPath, headers, body, decoded, facts, signal };
    await walk(desk, caller, route, asked, response);
  } finally {
    held.release();
  }
}

async function walk(
  { kernel, patience }: Desk,
  caller: Caller,
  route: ModelRoute,
  asked: Omit<ModelCall, 'dialect' | 'sink'>,
  response: ServerResponse,
): Promise<void> {
  const dialect = DIALECTS[route.dialect];
  const { method, path, headers, body, decoded, facts, signal } = asked;
  const { stream } = facts;
  const extra: string[] = [];
  const { quietMs, heartbeatMs: everyMs } = patience;
  const heartbeat = stream ? { bytes: dialect.encodeHeartbeat(), quietMs, everyMs } : undefined;
  const sink = new HttpSink(response, extra, heartbeat);
  const call: ModelCall = {
    dialect: route.dialect,
    method,
    path,
    headers,
    body,
    decoded,
    facts,
    sink,
    signal,
  };
  const walked = await kernel.model(caller, route.kind, call, (id) => extra.push('x-mezz-call', id));
  if (walked.kind === 'refused')
    return sendRefusal(response, dialect, sink, stream ? 0 : undefined, walked.refusal);
  finish(response, dialect, sink, stream, walked.outcome);
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
): void {
  if (outcome.kind === 'broken') {
    const events = stream ? outcome.eventsOut : undefined;
    return sendRefusal(response, dialect, sink, events, outcome.refusal);
  }
  // A client that was kept with heartbeats is in a stream already: what is none can only be told in it.
  if (sink.headSent && !sink.begun) return sendRefusal(response, dialect, sink, 0, toldInStream(outcome));
  if (sink.headSent) response.end(outcome.tail);
  else sink.whole(outcome.status, outcome.headers, outcome.tail);
}

function toldInStream({ status, tail }: Extract<ModelOutcome, { kind: 'answered' }>): Refusal {
  const text = Buffer.from(tail.buffer, tail.byteOffset, tail.length).toString('utf8');
  const code = status === 429 || status === 529 ? 'busy' : 'failed';
  return refusal(code, `The upstream answered ${status}: ${text.slice(0, LIMITS.toldText.value)}`);
}

/** `eventsOut`: how many events of a stream have left; undefined where the client asked for no stream. */
function sendRefusal(
  response: ServerResponse,
  dialect: Dialect,
  sink: HttpSink,
  eventsOut: number | undefined,
  why: Refusal,
): void {
  if (response.destroyed) return;
  if (!sink.headSent) return sendError(response, dialect, why, sink.own);
  // Headers are gone: a stream ends with its dialect's error event, any other body can only be cut.
  if (eventsOut !== undefined && !sink.encoded) response.end(dialect.encodeErrorEvent(why, eventsOut));
  else response.destroy();
}

/** The way out for what never reaches the gate. */
export function refuseAtDoor(kernel: Kernel, response: ServerResponse, dialect: Dialect, why: Refusal): void {
  // Told already, when the connection broke while the body was awaited.
  if (response.headersSent) return;
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
  // What is left of the request is not used: neither can the connection be.
  if (!response.req.complete) headers.push('connection', 'close');
  response.writeHead(status, headers as unknown as Record<string, string>);
  if (why.code !== 'too_large' || response.req.complete) return void response.end(error.body);
  response.write(error.body);
  endWhenRead(response);
}

/**
 * Ends an answer that came before its request was read. Closing at once would make the system drop the answer on its
 * way, so what still comes is read and forgotten, within bounds of size and of the time that a request may take.
 */
function endWhenRead(response: ServerResponse): void {
  let leftBytes: number = LIMITS.lingerBytes.value;
  const end = () => response.end();
  response.req.once('end', end).once('close', end);
  response.req.on('data', (chunk: Buffer) => {
    leftBytes -= chunk.length;
    if (leftBytes < 0) end();
  });
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
