/**
 * A call whose server asks its client something, for a client that is asked by the end of its request and answers by
 * another one (MRTR, 2026-07-28): the call goes on meanwhile, and its client finds it again by `requestState`.
 * Invariant: only the key that made the call finds it, with the same method and the same name.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { isRecord, type Json, type JsonRecord } from '../../base/json.ts';
import { RPC, type RpcReply, rpcError } from '../../base/mcp.ts';
import { LIMITS } from '../limits.ts';
import type { Answer } from './answer.ts';

const HANDLE = 'mezz-call:';
const SEALED = 'mezz:';

export class SuspendedCall {
  /** As the call, its method and its caller: whatever comes back must be bound to the same. */
  readonly binding: string;
  readonly #waitingRoom: Suspended;
  readonly #left = new AbortController();
  readonly #asks = new Map<string, { readonly ask: JsonRecord; answered(reply: RpcReply): void }>();
  #handle: string | undefined;
  #answer: { readonly to: Answer; readonly id: Json } | undefined;
  #end: { readonly reply: RpcReply; ended(to: Answer): void } | undefined;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(binding: string, waitingRoom: Suspended) {
    this.binding = binding;
    this.#waitingRoom = waitingRoom;
  }

  /** Aborted when nobody will hear of the call any more. */
  get signal(): AbortSignal {
    return this.#left.signal;
  }

  /** From now on the call's client waits for this answer. */
  answerTo(to: Answer, id: Json): void {
    clearTimeout(this.#timer);
    this.#answer = { to, id };
    if (this.#end) this.end(this.#end.reply, this.#end.ended);
  }

  /** The client closed the connection of an answer it still waited for. */
  abandon(answer: Answer): void {
    if (this.#answer?.to === answer) this.#left.abort();
  }

  /** Its client gets a task in place of the answer, where it waits for one just now. */
  becomes(task: RpcReply): boolean {
    if (!this.#answer || this.#end) return false;
    const { to, id } = this.#answer;
    this.#answer = undefined;
    to.end(id, task);
    return true;
  }

  /** What its server has asked and nobody has answered; undefined where that is nothing. */
  get questions(): JsonRecord | undefined {
    if (this.#asks.size === 0) return undefined;
    return Object.fromEntries([...this.#asks].map(([key, { ask }]) => [key, ask]));
  }

  tell(message: JsonRecord): void {
    this.#answer?.to.tell(message);
  }

  asked(method: string, params: JsonRecord): Promise<RpcReply> {
    return new Promise((answered) => {
      this.#asks.set(`q${++this.#count}`, { ask: { method, params }, answered });
      this.#suspend();
    });
  }

  /** What the client answered. What it left out it is asked again. */
  resume(to: Answer, id: Json, responses: Json | undefined): void {
    this.answerTo(to, id);
    this.answered(responses);
    if (this.#asks.size > 0) this.#suspend();
  }

  /** Answers to questions by their keys; others are left. */
  answered(responses: Json | undefined): void {
    const given = isRecord(responses) ? responses : {};
    for (const [key, { answered }] of [...this.#asks]) {
      const result = given[key];
      if (!isRecord(result)) continue;
      this.#asks.delete(key);
      answered({ result });
    }
  }

  /** The answer leaves now, or when the client comes back for it; `ended` is told by which connection. */
  end(reply: RpcReply, ended: (to: Answer) => void): void {
    this.#end = { reply, ended };
    if (!this.#answer) return;
    const { to, id } = this.#answer;
    this.#answer = undefined;
    to.end(id, reply);
    ended(to);
    this.#over();
  }

  #suspend(): void {
    // A task's client asks for its questions; for those, too, it has its time.
    if (!this.#answer) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(
        () => this.#giveUp('the client did not answer in time'),
        LIMITS.suspendedMs.value,
      ).unref();
      return;
    }
    this.#handle ??= this.#waitingRoom.enter(this);
    if (this.#handle === undefined) return this.#giveUp('too many calls wait for their clients');
    const { to, id } = this.#answer;
    this.#answer = undefined;
    const inputRequests = Object.fromEntries([...this.#asks].map(([key, { ask }]) => [key, ask]));
    to.end(id, { result: { resultType: 'input_required', inputRequests, requestState: this.#handle } });
    this.#timer = setTimeout(() => {
      this.#giveUp('the client did not answer in time');
      this.#left.abort();
      this.#over();
    }, LIMITS.suspendedMs.value).unref();
  }

  #giveUp(why: string): void {
    const asks = [...this.#asks.values()];
    this.#asks.clear();
    for (const { answered } of asks) answered(rpcError(RPC.internal, why));
  }

  #over(): void {
    clearTimeout(this.#timer);
    if (this.#handle !== undefined) this.#waitingRoom.leave(this.#handle);
  }
}

export class Suspended {
  readonly #secret = randomBytes(32);
  readonly #calls = new Map<string, SuspendedCall>();

  /** Under what it is found again; undefined: as many as there may be wait already. */
  enter(call: SuspendedCall): string | undefined {
    if (this.#calls.size >= LIMITS.suspendedCalls.value) return undefined;
    const handle = `${HANDLE}${randomBytes(16).toString('base64url')}`;
    this.#calls.set(handle, call);
    return handle;
  }

  leave(handle: string): void {
    this.#calls.delete(handle);
  }

  /**
   * What a client's `requestState` stands for: a call that goes on here, or what a server gave it and is to have back.
   * `foreign`: neither, or not this client's.
   */
  read(
    state: Json | undefined,
    binding: string,
  ): { readonly call: SuspendedCall } | { readonly state: string } | undefined | 'foreign' {
    if (state === undefined) return undefined;
    if (typeof state !== 'string') return 'foreign';
    const call = this.#calls.get(state);
    if (call) return call.binding === binding ? { call } : 'foreign';
    const [, mac, inner] = new RegExp(`^${SEALED}([\\w-]{43})\\.(.*)$`, 's').exec(state) ?? [];
    if (mac === undefined || inner === undefined) return 'foreign';
    const expected = this.#mac(inner, binding);
    return timingSafeEqual(Buffer.from(mac), Buffer.from(expected)) ? { state: inner } : 'foreign';
  }

  /** A server's state, bound to the call that got it: no other agent, and no other call, can bring it back. */
  seal(state: string, binding: string): string {
    return `${SEALED}${this.#mac(state, binding)}.${state}`;
  }

  #mac(state: string, binding: string): string {
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify([binding, state]))
      .digest('base64url');
  }
}
