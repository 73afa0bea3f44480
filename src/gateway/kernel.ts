/**
 * gateway/ is how the world enters: HTTP on loopback for agents, a unix socket for operators. Invariant: what it
 * lets through is authenticated, bounded and listed in routes.ts; bytes pass unchanged; nothing terminal leaves before
 * the kernel says END is durable. It decides nothing itself: this file is all it knows of the kernel.
 */
import type { ErrorCode, Refusal } from '../base/errors.ts';
import type { CallId } from '../base/ids.ts';
import type { JsonRecord } from '../base/json.ts';
import type { RpcReply, TaskHead } from '../base/mcp.ts';
import type { ModelCall, ModelOutcome } from '../base/model.ts';
import type { ServerChange, ServerRequest } from '../base/ports.ts';

/** Who a key belongs to. */
export interface Caller {
  readonly keyId: string;
  readonly owner: string;
  readonly pid: number | null;
  readonly name: string;
}

export type ModelKind = 'model.generate' | 'model.embed' | 'model.count' | 'model.object';

export type ModelWalk =
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly call: CallId | undefined }
  | { readonly kind: 'done'; readonly outcome: ModelOutcome; readonly call: CallId };

/** What a client's hook tells before or after one of its own tools runs. */
export interface HookEvent {
  readonly client: string;
  readonly event: 'before' | 'after' | 'waiting' | 'going';
  readonly session: string | undefined;
  readonly sub: string | undefined;
  readonly tool: string;
  readonly toolUseId: string;
  /** The client gave no id of its own. */
  readonly isUnnamed: boolean;
  readonly input: JsonRecord;
  /** Where the client runs its tools. */
  readonly cwd: string | undefined;
  readonly isError: boolean;
}
export type HookAnswer =
  | { readonly decision: 'go' }
  | { readonly decision: 'deny'; readonly refusal: Refusal };

export interface ListedModel {
  readonly name: string;
  readonly owner: string;
}

/** What tool servers offer, under the names that the client calls. */
export interface ServerView {
  readonly tools: readonly JsonRecord[];
  readonly prompts: readonly JsonRecord[];
  readonly resources: readonly JsonRecord[];
  readonly templates: readonly JsonRecord[];
  /** How long, in ms, the lists stay as they are as far as their servers say. */
  readonly ttlMs: number;
}

export interface ServerReply {
  /** Whose answer it is; none where the request was refused before it was a call. */
  readonly call: CallId | undefined;
  readonly reply: RpcReply | Refusal;
}

/** A call whose client took a task in place of its answer. */
export interface KernelTask extends TaskHead {
  readonly reply: RpcReply | Refusal | undefined;
}

export interface Kernel {
  identify(secret: string): Caller | undefined;
  /** The whole walk; `accepted` is called with the call's id before anything is decided. */
  model(caller: Caller, kind: ModelKind, call: ModelCall, accepted: (id: CallId) => void): Promise<ModelWalk>;
  hook(caller: Caller, event: HookEvent, signal: AbortSignal): Promise<HookAnswer>;
  /**
   * What an MCP client of mezz sees: all tool servers, or the one that it names, without what its agent may never call;
   * remembered as shown to it.
   */
  show(caller: Caller, only: string | undefined): Promise<ServerView | Refusal>;
  /** The definition of one tool, as its server words it; undefined where there is none that may be called. */
  definition(only: string | undefined, name: string): Promise<JsonRecord | undefined>;
  /**
   * A syscall; the server's own error is an answer. `use`: the client's own name for this use of the tool, which its
   * retries carry too. `outlives`: a cut connection is not the client's word that it wants the call no more. `deferred`
   * gets the task that the call becomes when it takes long.
   */
  request(
    caller: Caller,
    only: string | undefined,
    request: ServerRequest,
    asked: {
      readonly use: string | undefined;
      readonly outlives: boolean;
      readonly deferred?: ((task: KernelTask) => void) | undefined;
    },
    signal: AbortSignal,
  ): Promise<ServerReply>;
  /** A task of the caller's agent; undefined where it has none of this id. */
  task(caller: Caller, id: string): Promise<KernelTask | undefined>;
  /** false where it has none. */
  cancelTask(caller: Caller, id: string): Promise<boolean>;
  /** The answer of a call has left; or its connection was cut before. */
  told(call: CallId, isDelivered: boolean): void;
  /** The caller does not want to hear of this resource any more. */
  unwatch(only: string | undefined, uri: string): void;
  /** `listener` hears what servers say unasked, from now on; the result ends that. */
  onServerChange(listener: (server: string, change: ServerChange) => void): () => void;
  readonly version: string;
  models(): readonly ListedModel[];
  ready(): boolean;
  metrics(): string;
  /** A request that was refused before there was an agent: told to observers, never journaled. */
  refusedAtDoor(code: ErrorCode): void;
}
