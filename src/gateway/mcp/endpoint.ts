/**
 * The MCP endpoint: `/mcp` shows an agent all tool servers, `/mcp/<server>` one of them under its own names, both in both
 * eras of streamable HTTP from one URL. Invariant: who asks is known by its key, never by a session or by what it says.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isRecord, type Json, type JsonRecord, parseJson } from '../../base/json.ts';
import { RPC, rpcError } from '../../base/mcp.ts';
import type { Bodies } from '../body.ts';
import type { Caller, Kernel } from '../kernel.ts';
import { LIMITS } from '../limits.ts';
import { Answer, type Beats } from './answer.ts';
import { isRpc, serveBatch, takesBatches } from './batch.ts';
import { Feeds } from './feeds.ts';
import type { Asked } from './methods.ts';
import { isModern, serveModern } from './modern.ts';
import { greeting, type Session, Sessions, serveEarlier } from './sessions.ts';
import { Suspended } from './suspended.ts';
import { LiveTasks } from './tasks.ts';

const NO_SESSION = rpcError(RPC.invalidRequest, 'there is no such session');

export class McpEndpoint {
  readonly #kernel: Kernel;
  readonly #bodies: Bodies;
  readonly #beats: Beats;
  readonly #feeds: Feeds;
  readonly #sessions: Sessions;
  readonly #suspended = new Suspended();
  readonly #tasks = new LiveTasks();

  constructor(kernel: Kernel, bodies: Bodies, beats: Beats) {
    this.#kernel = kernel;
    this.#bodies = bodies;
    this.#beats = beats;
    this.#feeds = new Feeds(kernel);
    this.#sessions = new Sessions(kernel, this.#feeds);
  }

  /** Every stream that stays open ends. */
  close(): void {
    this.#feeds.close();
  }

  async serve(
    caller: Caller,
    only: string | undefined,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const streams = (request.headers.accept ?? '').includes('text/event-stream');
    const named = request.headers['mcp-session-id'];
    const session = typeof named === 'string' ? this.#sessions.find(named, caller, only) : undefined;
    if (request.method !== 'POST') return this.#stream(request, response, session);
    const held = this.#bodies.hold();
    const body = await held.collect(request, LIMITS.hookBytes.value).finally(() => held.release());
    const message = 'code' in body ? undefined : parseJson(body.toString('utf8'));
    const answer = new Answer(response, streams, this.#beats);
    const by = { kernel: this.#kernel, caller, only };
    const isLost = named !== undefined && !session;
    if (Array.isArray(message) && takesBatches(request, session)) {
      if (isLost) return answer.end(undefined, NO_SESSION, 404);
      const isAnswered = await serveBatch(message, { ...by, outlives: true }, request, session, answer);
      return isAnswered ? undefined : accepted(response);
    }
    if (!isRpc(message)) {
      this.#kernel.refusedAtDoor('bad_request');
      const code = message === undefined ? RPC.parseError : RPC.invalidRequest;
      return answer.end(undefined, rpcError(code, 'not one JSON-RPC request'), 400);
    }
    const isNew = isModern(request, message);
    if (!isNew && isLost) return answer.end(message.id, NO_SESSION, 404);
    const { id, method } = message;
    if (typeof method !== 'string' || id === undefined) {
      if (!isNew) session?.hear(message);
      return accepted(response);
    }
    const params = isRecord(message.params) ? message.params : {};
    // Before 2026-07-28 a closed connection cancels nothing.
    const asked = { ...by, method, params, outlives: !isNew };
    if (isNew) return serveModern(this.#modern, asked, request, id, answer);
    if (method === 'initialize') return this.#open(asked, id, response);
    return serveEarlier(asked, session, id, answer);
  }

  get #modern() {
    return {
      ...{ suspended: this.#suspended, tasks: this.#tasks },
      ...{ feeds: this.#feeds, serverInfo: this.#serverInfo },
    };
  }

  get #serverInfo(): JsonRecord {
    return { name: 'mezz', version: this.#kernel.version };
  }

  #open(asked: Asked, id: Json, response: ServerResponse): void {
    const session = this.#sessions.open(asked);
    const headers = { 'mcp-session-id': session.id };
    new Answer(response, false, this.#beats, headers).end(id, greeting(session, this.#serverInfo));
  }

  /** GET opens a session's stream for what servers say unasked; DELETE ends the session. */
  #stream(request: IncomingMessage, response: ServerResponse, session: Session | undefined): void {
    const answer = new Answer(response, true, this.#beats);
    if (!session) return answer.end(undefined, NO_SESSION, 404);
    if (request.method === 'DELETE') {
      this.#sessions.close(session);
      return accepted(response);
    }
    session.streams.add(answer);
    answer.onLeft(() => session.streams.delete(answer));
    answer.begin();
  }
}

function accepted(response: ServerResponse): void {
  response.writeHead(202, { 'content-length': 0 });
  response.end();
}
