/**
 * MCP of 2026-07-28 over HTTP, as a client: each request is an exchange of its own that says who asks and repeats its
 * body in headers; what a server needs to know first, an agent's client is asked.
 */
import { isRecord, type JsonRecord, stringOf } from '../../base/json.ts';
import {
  encodeHeader,
  type HeaderParam,
  headerParams,
  headerValue,
  META,
  MODERN,
  RPC,
  standardHeaders,
} from '../../base/mcp.ts';
import type { Asking, Described, ServerRequest } from '../../base/ports.ts';
import { LIMITS } from '../limits.ts';
import type { Era, HttpUse } from './era.ts';
import { describeServer } from './lists.ts';
import { Patience } from './patience.ts';
import { CHANGES, CLIENT, type Reply, replyOf, tellLog } from './peer.ts';
import { httpError, isReopened } from './post.ts';

interface Asked {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly asking?: Asking;
}

export class ModernHttp implements Era {
  readonly #use: HttpUse;
  readonly #marked = new Map<string, readonly HeaderParam[]>();
  #next = 1;
  #capabilities: JsonRecord = {};
  #listening: AbortController | undefined;
  #isClosed = false;

  constructor(use: HttpUse) {
    this.#use = use;
  }

  async introduce(): Promise<Described | Exclude<Reply, { result: JsonRecord }> | undefined> {
    this.#isClosed = false;
    const timeoutMs = LIMITS.toolStartMs.value;
    let hello = await this.#send('server/discover', {}, { timeoutMs });
    // Refused by a server that knows this version all the same: asked once more.
    if (isModernError(hello) && supports(hello))
      hello = await this.#send('server/discover', {}, { timeoutMs });
    if (hello === 'unsent' || hello === 'late' || hello === 'locked') return hello;
    if (typeof hello === 'string' || 'error' in hello || !supportsModern(hello.result.supportedVersions))
      return isModernError(hello) && supports(hello) ? hello : undefined;
    const { result } = hello;
    const meta = isRecord(result._meta) ? result._meta : {};
    const serverInfo = meta[META.server] ?? result.serverInfo ?? {};
    this.#marked.clear();
    const described = await describeServer(
      { ...result, serverInfo },
      (method, params) => this.#send(method, params, { timeoutMs }),
      (tool) => this.#mark(tool),
    );
    if (typeof described === 'string' || 'error' in described) return described;
    this.#capabilities = described.capabilities ?? {};
    this.#listen();
    return described;
  }

  async ask(
    method: string,
    params: JsonRecord,
    signal: AbortSignal,
    request: ServerRequest | undefined,
  ): Promise<Reply> {
    if (method === 'resources/subscribe') {
      this.#use.watched.enter(stringOf(params.uri));
      this.#listen();
      return { result: {} };
    }
    const asking = request?.asking;
    const asked: Asked = { timeoutMs: LIMITS.toolMs.value, signal, ...(asking ? { asking } : {}) };
    let reply = await this.#send(method, params, asked);
    for (let round = 0; round < LIMITS.toolRounds.value; round++) {
      const needed = asking && !asking.takesInputRequired ? neededBy(reply) : undefined;
      if (!needed || !asking) return reply;
      const inputResponses: Record<string, JsonRecord> = {};
      for (const [key, question] of Object.entries(needed.questions)) {
        const answer = await asking.asked(question.method, question.params);
        if ('error' in answer) return answer;
        inputResponses[key] = answer.result;
      }
      const { state } = needed;
      const again = { ...params, inputResponses, ...(state === undefined ? {} : { requestState: state }) };
      reply = await this.#send(method, again, asked);
    }
    return reply;
  }

  rewatch(): void {
    this.#listen();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listening?.abort();
  }

  /** What its schema puts into headers is known from here on; why not, where it cannot be. */
  #mark(tool: JsonRecord): string | undefined {
    const marked = headerParams(tool.inputSchema);
    if (typeof marked === 'string') return marked;
    this.#marked.set(stringOf(tool.name), marked);
    return undefined;
  }

  async #send(method: string, params: JsonRecord, asked: Asked): Promise<Reply> {
    const { timeoutMs, signal, asking } = asked;
    if (signal?.aborted) return 'left';
    const id = this.#next++;
    const cut = new AbortController();
    const patience = new Patience(this.#use.clock, timeoutMs, () => cut.abort('late'));
    const leave = () => cut.abort('left');
    signal?.addEventListener('abort', leave, { once: true });
    let reply: Reply | undefined;
    const outcome = await this.#use.link.exchange({
      method: 'POST',
      headers: this.#headers(method, params),
      message: { jsonrpc: '2.0', id, method, params: { ...params, _meta: metaFor(params, id, asking) } },
      signal: cut.signal,
      hear: (message) => {
        if (message.method === undefined && (message.id === id || message.id === undefined))
          reply = replyOf(message);
        else if (message.method === 'notifications/message') tellLog(asking, paramsOf(message));
        else if (message.method === 'notifications/progress') {
          patience.renew();
          asking?.told('notifications/progress', paramsOf(message));
        }
      },
    });
    patience.stop();
    signal?.removeEventListener('abort', leave);
    if (reply) return reply;
    if (cut.signal.aborted) return cut.signal.reason as 'late' | 'left';
    if (outcome.kind !== 'exchanged') return outcome.kind === 'cut' ? 'gone' : outcome.kind;
    return outcome.status < 400 ? 'gone' : httpError(outcome);
  }

  #headers(method: string, params: JsonRecord): Record<string, string> {
    const headers = { ...this.#use.headers, ...standardHeaders(method, params) };
    if (method !== 'tools/call') return headers;
    const input = isRecord(params.arguments) ? params.arguments : {};
    for (const { header, path } of this.#marked.get(stringOf(params.name)) ?? []) {
      const value = headerValue(input, path);
      if (value !== undefined) headers[header] = encodeHeader(value);
    }
    return headers;
  }

  /** One stream for everything that anybody wants to hear; opened anew when that changes. */
  #listen(): void {
    this.#listening?.abort();
    const notifications = this.#wanted();
    if (this.#isClosed || Object.keys(notifications).length === 0) return;
    const own = new AbortController();
    this.#listening = own;
    void this.#use.link
      .exchange({
        method: 'POST',
        headers: this.#headers('subscriptions/listen', {}),
        message: {
          jsonrpc: '2.0',
          id: this.#next++,
          method: 'subscriptions/listen',
          params: { notifications, _meta: metaFor({}, 0, undefined) },
        },
        signal: own.signal,
        hear: (message) => this.#heard(message),
      })
      .then((outcome) => {
        if (own.signal.aborted || !isReopened(outcome)) return;
        this.#use.clock.after(LIMITS.toolListenMs.value, () => {
          if (this.#listening === own) this.#listen();
        });
      });
  }

  #wanted(): JsonRecord {
    const { uris } = this.#use.watched;
    const lists = (['tools', 'prompts', 'resources'] as const).filter((kind) => {
      const capability = this.#capabilities[kind];
      return isRecord(capability) && capability.listChanged === true;
    });
    return {
      ...Object.fromEntries(lists.map((kind) => [`${kind}ListChanged`, true])),
      ...(uris.length > 0 ? { resourceSubscriptions: [...uris] } : {}),
    };
  }

  #heard(message: JsonRecord): void {
    const kind = CHANGES[stringOf(message.method)];
    if (kind) this.#use.changed({ kind });
    if (message.method === 'notifications/resources/updated')
      this.#use.changed({ kind: 'updated', uri: stringOf(paramsOf(message).uri) });
  }
}

const paramsOf = ({ params }: JsonRecord): JsonRecord => (isRecord(params) ? params : {});

/** Who asks, by which version, and what the agent's client can be asked: nothing where none is behind it. */
function metaFor(params: JsonRecord, id: number, asking: Asking | undefined): JsonRecord {
  return {
    ...(isRecord(params._meta) ? params._meta : {}),
    [META.version]: MODERN,
    [META.client]: CLIENT,
    [META.capabilities]: asking?.capabilities ?? {},
    ...(asking?.logLevel === undefined ? {} : { [META.logLevel]: asking.logLevel }),
    ...(asking?.wantsProgress ? { progressToken: id } : {}),
  };
}

const supportsModern = (versions: unknown): boolean => Array.isArray(versions) && versions.includes(MODERN);

/** An error that only a server of this era gives. */
const isModernError = (reply: Reply): reply is Extract<Reply, { error: unknown }> =>
  typeof reply === 'object' &&
  'error' in reply &&
  reply.error.code <= RPC.headerMismatch &&
  reply.error.code >= RPC.unsupportedVersion;

function supports({ error }: Extract<Reply, { error: unknown }>): boolean {
  if (error.code !== RPC.unsupportedVersion) return true;
  return isRecord(error.data) && supportsModern(error.data.supported);
}

interface Needed {
  readonly questions: Readonly<Record<string, { readonly method: string; readonly params: JsonRecord }>>;
  readonly state: string | undefined;
}

/** What a server must be told before it goes on. */
function neededBy(reply: Reply): Needed | undefined {
  if (typeof reply === 'string' || 'error' in reply || reply.result.resultType !== 'input_required')
    return undefined;
  const { inputRequests, requestState } = reply.result;
  const asked = isRecord(inputRequests) ? Object.entries(inputRequests) : [];
  return {
    questions: Object.fromEntries(
      asked.flatMap(([key, question]) =>
        isRecord(question) ? [[key, { method: stringOf(question.method), params: paramsOf(question) }]] : [],
      ),
    ),
    state: typeof requestState === 'string' ? requestState : undefined,
  };
}
