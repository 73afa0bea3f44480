/**
 * MCP of 2025-11-25 and before over HTTP, as a client: `initialize`, a session, answers that may be streams which can be
 * taken up again where they broke off, and a stream for what the server says unasked.
 */
import { isRecord, type Json, type JsonRecord, stringOf } from '../../base/json.ts';
import type { Described, ServerRequest } from '../../base/ports.ts';
import { LIMITS } from '../limits.ts';
import type { Era, HttpUse } from './era.ts';
import { describeServer } from './lists.ts';
import { Peer, type Reply } from './peer.ts';
import { type Exchanged, httpError, isReopened, type Outcome } from './post.ts';

export class EarlierHttp implements Era {
  readonly #use: HttpUse;
  readonly #version: string | undefined;
  readonly #peer: Peer;
  #session: Record<string, string> = {};
  #listening: AbortController | undefined;

  constructor(use: HttpUse, version: string | undefined) {
    this.#use = use;
    this.#version = version;
    this.#peer = new Peer(use.clock, (message) => void this.#carry(message), use.changed);
  }

  async introduce(): Promise<Described | Exclude<Reply, { result: JsonRecord }>> {
    this.#session = {};
    const greeting = await this.#peer.greet(this.#version);
    if (typeof greeting === 'string' || 'error' in greeting) return greeting;
    const timeoutMs = LIMITS.toolStartMs.value;
    const described = await describeServer(greeting.result, (method, params) =>
      this.#peer.ask(method, params, { timeoutMs }),
    );
    if (typeof described === 'string' || 'error' in described) return described;
    this.#listen();
    for (const uri of this.#use.watched.uris) this.rewatch('resources/subscribe', uri);
    return described;
  }

  async ask(
    method: string,
    params: JsonRecord,
    signal: AbortSignal,
    request: ServerRequest | undefined,
  ): Promise<Reply> {
    const asking = request?.asking;
    this.#peer.wantLogs(asking?.logLevel);
    const timeoutMs = LIMITS.toolMs.value;
    const reply = await this.#peer.ask(method, params, { timeoutMs, signal, ...(asking ? { asking } : {}) });
    if (method === 'resources/subscribe' && typeof reply === 'object' && 'result' in reply)
      this.#use.watched.enter(stringOf(params.uri));
    return reply;
  }

  rewatch(method: 'resources/subscribe' | 'resources/unsubscribe', uri: string): void {
    void this.#peer.ask(method, { uri }, { timeoutMs: LIMITS.toolStartMs.value });
  }

  async close(): Promise<void> {
    this.#listening?.abort();
    this.#listening = undefined;
    if (this.#session['mcp-session-id'] === undefined) return;
    const signal = AbortSignal.timeout(LIMITS.toolEndMs.value);
    await this.#exchange({ method: 'DELETE', signal, hear: () => {} });
  }

  /** A request goes out; what comes back on its own stream is heard as being about it. */
  async #carry(message: JsonRecord): Promise<void> {
    const { id, method } = message;
    const isRequest = method !== undefined && id !== undefined;
    const hear = (heard: JsonRecord) => {
      if (method === 'initialize' && isRecord(heard.result))
        this.#session['mcp-protocol-version'] = stringOf(heard.result.protocolVersion);
      this.#peer.hear(heard, isRequest ? id : undefined);
    };
    let outcome = await this.#exchange({ method: 'POST', message, hear });
    if (!isRequest) return;
    for (let again = 0; again < LIMITS.toolResumes.value && this.#canResume(outcome, id); again++)
      outcome = await this.#resume(outcome, hear);
    this.#peer.endOne(id, endOf(outcome));
  }

  #canResume(outcome: Outcome, id: Json): outcome is Exchanged {
    return outcome.kind === 'exchanged' && outcome.lastEventId !== undefined && this.#peer.isWaiting(id);
  }

  async #resume(from: Exchanged, hear: (message: JsonRecord) => void): Promise<Outcome> {
    await new Promise<void>((resolve) => {
      this.#use.clock.after(from.retryMs ?? LIMITS.toolResumeMs.value, resolve);
    });
    const headers = { 'last-event-id': from.lastEventId ?? '' };
    return this.#exchange({ method: 'GET', headers, hear });
  }

  /** For what the server says unasked, and for questions that it does not ask on the stream of their call. */
  #listen(from?: string): void {
    this.#listening?.abort();
    const own = new AbortController();
    this.#listening = own;
    const headers: Record<string, string> = from === undefined ? {} : { 'last-event-id': from };
    const hear = (message: JsonRecord) => this.#peer.hear(message);
    void this.#exchange({ method: 'GET', headers, signal: own.signal, hear }).then((outcome) => {
      if (own.signal.aborted) return;
      // The session that it was a part of is over, and what it would have told is not known.
      if (from !== undefined && isForgotten(outcome)) return this.#use.changed({ kind: 'tools' });
      if (!isReopened(outcome)) return;
      const { lastEventId = from, retryMs } = outcome.kind === 'exchanged' ? outcome : {};
      this.#use.clock.after(retryMs ?? LIMITS.toolListenMs.value, () => {
        if (this.#listening === own) this.#listen(lastEventId);
      });
    });
  }

  #exchange(sending: {
    readonly method: 'POST' | 'GET' | 'DELETE';
    readonly headers?: Record<string, string>;
    readonly message?: JsonRecord;
    readonly signal?: AbortSignal;
    hear(message: JsonRecord): void;
  }): Promise<Outcome> {
    const headers = { ...this.#use.headers, ...this.#session, ...sending.headers };
    return this.#use.link.exchange({
      ...sending,
      headers,
      head: ({ 'mcp-session-id': session }) => {
        if (typeof session === 'string') this.#session['mcp-session-id'] = session;
      },
    });
  }
}

/** How a request ends that its stream did not answer. */
function endOf(outcome: Outcome): Reply {
  if (outcome.kind !== 'exchanged') return outcome.kind === 'cut' ? 'gone' : outcome.kind;
  // It did nothing.
  if (isForgotten(outcome)) return 'unsent';
  return outcome.status < 400 ? 'gone' : httpError(outcome);
}

/** The server has forgotten the session. */
const isForgotten = (outcome: Outcome): boolean => outcome.kind === 'exchanged' && outcome.status === 404;
