/** Speaks HTTP to one model API: one pool of connections, one login, one exchange a call. */
import type Pool from 'undici/lib/dispatcher/pool.js';
import type { Clock } from '../../base/clock.ts';
import type { CallId } from '../../base/ids.ts';
import type { ModelCall, ModelOutcome } from '../../base/model.ts';
import type { BackendSpec, CredentialKind, ModelBackend, Suspendable } from '../../base/ports.ts';
import type { Ticket } from '../../base/ticket.ts';
import { LIMITS } from '../limits.ts';
import { lazyPool } from '../pool.ts';
import { Continuing, continuable, type Send } from './continuing.ts';
import { Exchange } from './exchange.ts';
import { requestHeaders } from './headers.ts';
import { KeyGuard } from './keyguard.ts';

/** Header pairs that carry mezz's own key for a backend; empty where it has none. */
export type KeyHeaders = (spec: BackendSpec) => readonly string[];

export class HttpModelBackend implements ModelBackend {
  readonly spec: BackendSpec;
  readonly #pool: () => Pool;
  readonly #basePath: string;
  readonly #clock: Clock;
  readonly #key: readonly string[];
  /** What is sent for headers that came before: a connection's are the same list each time. */
  readonly #sent = new WeakMap<
    readonly string[],
    { readonly credential: CredentialKind; readonly stream: boolean; readonly sent: string[] }
  >();
  /** Calls that may be broken off and continued. */
  readonly #continuing = new Map<CallId, Continuing>();

  constructor(spec: BackendSpec, clock: Clock, keyHeaders: KeyHeaders) {
    const url = new URL(spec.url);
    this.spec = spec;
    this.#basePath = url.pathname.replace(/\/$/, '');
    this.#clock = clock;
    this.#key = keyHeaders(spec);
    this.#pool = lazyPool(url.origin, {
      connections: Math.min(LIMITS.connections.value, Math.max(1, spec.slots)),
      pipelining: 1,
      // Reasoning can be silent for long: the watchdog in Exchange decides, not the client's defaults.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: LIMITS.connectMs.value },
    });
  }

  perform(ticket: Ticket, call: ModelCall): Promise<ModelOutcome> {
    ticket.use();
    const credential = ticket.credential ?? 'local';
    const headers = this.#headers(call, credential);
    if (credential !== 'kernel') return this.#exchange(call, headers, ticket.call);
    const guard = new KeyGuard(this.#key);
    const guarded = { ...call, sink: guard.sink(call.sink) };
    return this.#exchange(guarded, headers).then((outcome) => guard.outcome(outcome));
  }

  #headers({ headers, facts: { stream } }: ModelCall, credential: CredentialKind): string[] {
    const known = this.#sent.get(headers);
    if (known?.stream === stream && known.credential === credential) return known.sent;
    const login = { credential, provider: this.spec.provider, key: this.#key };
    const sent = requestHeaders(headers, login, stream);
    this.#sent.set(headers, { credential, stream, sent });
    return sent;
  }

  suspendable(call: CallId): Suspendable | undefined {
    return this.#continuing.get(call);
  }

  #exchange(call: ModelCall, headers: string[], id?: CallId): Promise<ModelOutcome> {
    const { promise, resolve } = Promise.withResolvers<ModelOutcome>();
    const exchange = new Exchange(call, this.#clock, this.spec.idleTimeoutMs, resolve);
    const may = id === undefined ? undefined : continuable(call, this.spec);
    const send: Send = (to, body, handler) => {
      const path = to === 'call' ? this.#basePath + call.path : besides(this.#basePath, to);
      const method = call.method as 'POST';
      this.#pool().dispatch({ method, path, headers, body: body.length > 0 ? body : null }, handler);
    };
    if (may && id !== undefined) {
      const { asked, answer } = may;
      const continuing = new Continuing(call, asked, answer, exchange, send);
      this.#continuing.set(id, continuing);
      continuing.begin();
      return promise.finally(() => this.#continuing.delete(id));
    }
    try {
      send('call', call.body, exchange);
    } catch (error) {
      exchange.refuseToSend(error);
    }
    return promise;
  }

  /** Takes no more calls; those that run end in their own time. */
  async retire(): Promise<void> {
    await this.#pool().close();
  }

  async close(): Promise<void> {
    await this.#pool().destroy();
  }
}

/** llama-server has its completions among its OpenAI paths, and its templates beside them. */
const besides = (base: string, place: 'completions' | 'apply-template'): string =>
  place === 'completions' ? `${base}/completions` : `${base.replace(/\/v1$/, '')}/apply-template`;
