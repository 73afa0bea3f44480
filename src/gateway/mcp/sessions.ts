/**
 * The era with `initialize` (2025-11-25 and earlier): a session remembers what its client can be asked, which log
 * messages and resources it wants, and carries what servers ask and say. Invariant: a session serves the key that opened
 * it, and no other. A client that opens none is served all the same, as far as one request and one answer go.
 */
import { randomUUID } from 'node:crypto';
import { isRecord, type Json, type JsonRecord, stringOf } from '../../base/json.ts';
import { EARLIER, RPC, type RpcReply, rpcError } from '../../base/mcp.ts';
import type { Asking, ServerChange } from '../../base/ports.ts';
import { WITHDRAWN } from '../../base/syscall.ts';
import type { Caller, Kernel } from '../kernel.ts';
import { LIMITS } from '../limits.ts';
import type { Answer, Part } from './answer.ts';
import { type Feed, type Feeds, watch } from './feeds.ts';
import { type Asked, CAPABILITIES, inEra, perform } from './methods.ts';
import { canBeAsked, withToken } from './modern.ts';

export class Session {
  readonly id: string = randomUUID();
  readonly keyId: string;
  readonly only: string | undefined;
  readonly version: string;
  readonly capabilities: JsonRecord;
  logLevel: string | undefined;
  readonly uris = new Set<string>();
  /** Requests that run, by their id as JSON. */
  readonly running = new Map<string, AbortController>();
  readonly streams = new Set<Answer>();
  readonly #asks = new Map<string, (reply: RpcReply) => void>();
  #count = 0;

  constructor({ caller, only, params }: Asked) {
    const wanted = params.protocolVersion;
    this.keyId = caller.keyId;
    this.only = only;
    this.version = EARLIER.find((version) => version === wanted) ?? EARLIER[0];
    this.capabilities = isRecord(params.capabilities) ? params.capabilities : {};
  }

  hears(change: ServerChange): boolean {
    return change.kind !== 'updated' || this.uris.has(change.uri);
  }

  /** To the stream that the client keeps open for it, if it does. */
  tell(message: JsonRecord): void {
    const [stream] = this.streams;
    stream?.tell(message);
  }

  /** A question on the stream of the request that it is about; the answer comes as a message of its own. */
  ask(answer: Part, method: string, params: JsonRecord): Promise<RpcReply> {
    if (!answer.canTell || !canBeAsked(this.capabilities, method))
      return Promise.resolve(rpcError(RPC.noMethod, `the client cannot be asked ${method}`));
    return new Promise((resolve) => {
      const id = `mezz-${++this.#count}`;
      const end = (reply: RpcReply) => {
        if (!this.#asks.delete(id)) return;
        clearTimeout(timer);
        resolve(reply);
      };
      const giveUp = () => end(rpcError(RPC.internal, 'the client did not answer'));
      const timer = setTimeout(giveUp, LIMITS.suspendedMs.value).unref();
      this.#asks.set(id, end);
      answer.onLeft(giveUp);
      answer.tell({ id, method, params });
    });
  }

  /** A notification of the client's, or its answer to a question. */
  hear({ id, method, result, error, params }: JsonRecord): undefined {
    if (method === 'notifications/cancelled' && isRecord(params))
      this.running.get(JSON.stringify(params.requestId))?.abort(WITHDRAWN);
    if (method !== undefined) return;
    const reply = isRecord(error)
      ? rpcError(Number(error.code), String(error.message))
      : { result: isRecord(result) ? result : {} };
    this.#asks.get(stringOf(id))?.(reply);
  }

  /** What it has running goes on to its own end: its client may only have lost the connection. */
  close(): void {
    for (const stream of this.streams) stream.close();
  }
}

export class Sessions {
  readonly #kernel: Kernel;
  readonly #feeds: Feeds;
  /** The one used longest ago first. */
  readonly #sessions = new Map<string, { readonly session: Session; readonly feed: Feed }>();

  constructor(kernel: Kernel, feeds: Feeds) {
    this.#kernel = kernel;
    this.#feeds = feeds;
  }

  open(asked: Asked): Session {
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined && this.#sessions.size >= LIMITS.sessions.value) this.#close(oldest);
    const session = new Session(asked);
    const feed: Feed = {
      only: session.only,
      hears: (change) => session.hears(change),
      tell: (message) => session.tell(message),
      close: () => session.close(),
    };
    this.#feeds.open(feed);
    this.#sessions.set(session.id, { session, feed });
    return session;
  }

  find(id: string, caller: Caller, only: string | undefined): Session | undefined {
    const found = this.#sessions.get(id);
    if (!found || found.session.keyId !== caller.keyId || found.session.only !== only) return undefined;
    this.#sessions.delete(id);
    this.#sessions.set(id, found);
    return found.session;
  }

  close({ id }: Session): void {
    this.#close(id);
  }

  #close(id: string): void {
    const found = this.#sessions.get(id);
    if (!found) return;
    this.#sessions.delete(id);
    this.#feeds.leave(found.feed);
    for (const uri of found.session.uris) this.#kernel.unwatch(found.session.only, uri);
    found.session.close();
  }
}

/** Answers one request; `session` is undefined for a client that opened none. */
export async function serveEarlier(
  asked: Asked,
  session: Session | undefined,
  id: Json,
  answer: Part,
): Promise<void> {
  const { method, params } = asked;
  const version = session?.version ?? EARLIER[0];
  const done = (reply: RpcReply) => answer.end(id, inEra(reply, version, {}));
  if (method === 'ping') return done({ result: {} });
  if (session && method === 'logging/setLevel') {
    session.logLevel = stringOf(params.level);
    return done({ result: {} });
  }
  if (session && (method === 'resources/subscribe' || method === 'resources/unsubscribe'))
    return done(await subscribe(asked, session, method === 'resources/subscribe'));
  const left = new AbortController();
  const key = JSON.stringify(id);
  session?.running.set(key, left);
  answer.onLeft((isCut) => isCut && left.abort());
  const performed = await perform(asked, askingOf(asked, session, answer), left.signal);
  session?.running.delete(key);
  done(performed?.reply ?? rpcError(RPC.noMethod, `mezz serves no ${method}`));
  answer.report(asked.kernel, performed?.call);
}

/** What the older era's handshake answers. */
export const greeting = (session: Session, serverInfo: JsonRecord): RpcReply => ({
  result: { protocolVersion: session.version, capabilities: { ...CAPABILITIES, logging: {} }, serverInfo },
});

async function subscribe(asked: Asked, session: Session, begins: boolean): Promise<RpcReply> {
  const { kernel, only, params } = asked;
  const uri = stringOf(params.uri);
  if (!begins) {
    if (session.uris.delete(uri)) kernel.unwatch(only, uri);
    return { result: {} };
  }
  if (session.uris.has(uri)) return { result: {} };
  if (session.uris.size >= LIMITS.watchedUris.value)
    return rpcError(RPC.internal, 'too many resources are watched');
  const { reply } = await watch(asked, uri);
  if ('result' in reply) session.uris.add(uri);
  return reply;
}

function askingOf({ caller, params }: Asked, session: Session | undefined, answer: Part): Asking {
  const token = isRecord(params._meta) ? params._meta.progressToken : undefined;
  return {
    who: caller.keyId,
    capabilities: session?.capabilities ?? {},
    logLevel: session?.logLevel,
    takesInputRequired: false,
    wantsProgress: token !== undefined && answer.canTell,
    told: (method, told) => answer.tell({ method, params: withToken(told, token) }),
    asked: (method, question) =>
      session?.ask(answer, method, question) ??
      Promise.resolve(rpcError(RPC.noMethod, 'a client without a session cannot be asked')),
  };
}
