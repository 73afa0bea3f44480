/**
 * A tool server that is reached over streamable HTTP, in whichever era it speaks: 2026-07-28 is tried first, once, unless
 * the settings say which. Invariant: a call without an answer is in doubt unless it certainly was not sent; nothing is
 * sent to another place than the one in the settings.
 */
import type { Clock } from '../../base/clock.ts';
import { type Refusal, refusal } from '../../base/errors.ts';
import { type JsonRecord, stringOf } from '../../base/json.ts';
import { EARLIER, MODERN } from '../../base/mcp.ts';
import type {
  Described,
  ServerChange,
  ServerRequest,
  ToolAnswer,
  ToolServer,
  ToolServerSpec,
} from '../../base/ports.ts';
import type { Ticket } from '../../base/ticket.ts';
import { LIMITS } from '../limits.ts';
import { EarlierHttp } from './earlier.ts';
import type { Era } from './era.ts';
import { inDoubt, keyed } from './lists.ts';

import { ModernHttp } from './modern.ts';
import type { Login } from './oauth.ts';
import type { Reply } from './peer.ts';
import { Link } from './post.ts';
import { Reads } from './reads.ts';
import { Watched } from './watched.ts';

const NOT_THERE: Readonly<Record<Exclude<Reply, object | 'locked'>, string>> = {
  unsent: 'it takes no connection',
  late: `it did not say in ${LIMITS.toolStartMs.value / 1000} s what it offers`,
  gone: 'it broke off while it said what it offers',
  left: 'nobody waits for it any more',
};

export class HttpToolServer implements ToolServer {
  readonly spec: ToolServerSpec;
  readonly osPid = undefined;
  readonly said = '';
  readonly #clock: Clock;
  readonly #link: Link;
  readonly #watched = new Watched();
  readonly #reads: Reads;
  readonly #eras: readonly Era[];
  #era: Era | undefined;
  #described: Promise<Described | Refusal> | undefined;
  #freshUntil = Number.POSITIVE_INFINITY;

  readonly login: Login | undefined;

  constructor(spec: ToolServerSpec, url: string, clock: Clock, login: Login | undefined) {
    this.spec = spec;
    this.#clock = clock;
    this.#reads = new Reads(clock);
    this.login = login;
    // What another person may do is another list.
    login?.onChange(() => void this.#start());
    this.#link = new Link(url, login);
    const use = {
      link: this.#link,
      clock,
      headers: spec.headers ?? {},
      watched: this.#watched,
      changed: (change: ServerChange) => this.#changed(change),
    };
    const only = spec.protocol;
    const isEarlier = EARLIER.some((version) => version === only);
    this.#eras = [
      ...(isEarlier ? [] : [new ModernHttp(use)]),
      ...(only === MODERN ? [] : [new EarlierHttp(use, isEarlier ? only : undefined)]),
    ];
  }

  describe(): Promise<Described | Refusal> {
    if (this.#clock.now() >= this.#freshUntil) this.#described = undefined;
    if (!this.#described) {
      this.#freshUntil = Number.POSITIVE_INFINITY;
      const introduced = this.#introduce();
      this.#described = introduced;
      void introduced.then((described) => {
        if (this.#described !== introduced) return;
        if ('code' in described) this.#described = undefined;
        else if (described.ttlMs !== undefined) this.#freshUntil = this.#clock.now() + described.ttlMs;
      });
    }
    return this.#described;
  }

  call(
    ticket: Ticket,
    tool: string,
    input: JsonRecord,
    signal: AbortSignal,
    request?: ServerRequest,
  ): Promise<ToolAnswer> {
    const params = { ...request?.params, name: tool, arguments: input };
    // It may change what a resource holds.
    const done = () => this.#reads.drop();
    return this.#perform(ticket, 'tools/call', params, signal, request).finally(done);
  }

  ask(ticket: Ticket, request: ServerRequest, signal: AbortSignal): Promise<ToolAnswer> {
    const { method, params, asking } = request;
    if (
      method === 'resources/read' &&
      Object.keys(params).every((name) => name === 'uri' || name === '_meta')
    )
      return this.#read(ticket, stringOf(params.uri), asking.who, request, signal);
    return this.#perform(ticket, method, params, signal, request);
  }

  unwatch(uri: string): void {
    if (this.#watched.leave(uri)) this.#era?.rewatch('resources/unsubscribe', uri);
  }

  onChange(listener: (change: ServerChange) => void): () => void {
    return this.#watched.listen(listener);
  }

  async close(): Promise<void> {
    await this.#era?.close();
    await this.#link.close();
  }

  /** From what is known, where the server said that it stays as it is. */
  async #read(
    ticket: Ticket,
    uri: string,
    who: string,
    request: ServerRequest,
    signal: AbortSignal,
  ): Promise<ToolAnswer> {
    const known = this.#reads.find(uri, who);
    if (known) {
      ticket.use();
      return { kind: 'called', result: known, isError: false };
    }
    const keep = this.#reads.reading(uri, who);
    const answer = await this.#perform(ticket, request.method, request.params, signal, request);
    if (answer.kind === 'called' && !answer.error) keep(answer.result);
    return answer;
  }

  async #perform(
    ticket: Ticket,
    method: string,
    params: JsonRecord,
    signal: AbortSignal,
    request: ServerRequest | undefined,
  ): Promise<ToolAnswer> {
    ticket.use();
    const what = method === 'tools/call' ? stringOf(params.name) : method;
    let reply: Reply = 'unsent';
    // What was not sent is sent once more: the server may have forgotten its session.
    for (let attempt = 0; reply === 'unsent' && attempt < 2; attempt++) {
      const described = await this.describe();
      if ('code' in described) return { kind: 'broken', refusal: described };
      if (!this.#era) break;
      if (signal.aborted)
        return {
          kind: 'broken',
          refusal: refusal('cancelled', `${what} was told to stop before it was sent.`),
        };
      reply = await this.#era.ask(method, keyed(method, params, ticket), signal, request);
      if (reply === 'unsent') this.#described = undefined;
    }
    if (reply === 'unsent') return { kind: 'broken', refusal: this.#notThere(NOT_THERE.unsent) };
    if (reply === 'locked') return { kind: 'broken', refusal: this.#locked() };
    if (typeof reply === 'string') return { kind: 'broken', refusal: inDoubt(this.spec.id, what, reply) };
    if ('error' in reply) return { kind: 'called', result: {}, isError: true, error: reply.error };
    return { kind: 'called', result: reply.result, isError: reply.result.isError === true };
  }

  async #introduce(): Promise<Described | Refusal> {
    const eras = this.#era ? [this.#era] : this.#eras;
    for (const era of eras) {
      const askedAt = this.#clock.now();
      const described = await era.introduce();
      if (described === undefined) continue;
      if (described === 'locked') return this.#locked();
      if (typeof described === 'string') return this.#notThere(NOT_THERE[described]);
      if ('error' in described)
        return this.#notThere(stringOf((described.error as { message?: unknown }).message));
      this.#era = era;
      return this.#lasting(described, askedAt);
    }
    return this.#notThere('it speaks no version of MCP that mezz speaks');
  }

  /** Whoever is told how long its lists stay is told what is left of that. */
  #lasting(described: Described, askedAt: number): Described {
    const { ttlMs } = described;
    if (ttlMs === undefined) return described;
    const clock = this.#clock;
    return {
      ...described,
      get ttlMs() {
        return Math.max(0, askedAt + ttlMs - clock.now());
      },
    };
  }

  /** Sessions of another login end. */
  async #start(): Promise<void> {
    await this.#era?.close();
    for (const kind of ['tools', 'prompts', 'resources'] as const) this.#changed({ kind });
  }

  #changed(change: ServerChange): void {
    if (change.kind === 'updated' || change.kind === 'resources') this.#reads.drop();
    if (change.kind !== 'updated') this.#described = undefined;
    this.#watched.tell(change);
  }

  #locked(): Refusal {
    return this.login?.refused() ?? this.#notThere('it wants a login');
  }

  #notThere(why: string): Refusal {
    return refusal(
      'unreachable',
      `The tool server ${this.spec.id} at ${this.spec.url} does not answer: ${why}`,
      {
        remedy: 'look whether it runs and speaks MCP at that address',
      },
    );
  }
}
