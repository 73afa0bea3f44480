/**
 * gateway/ is how the world enters: HTTP on loopback for agents, a unix socket for operators. Invariant: what it
 * lets through is authenticated, bounded and listed in routes.ts; bytes pass unchanged; nothing terminal leaves before
 * the kernel says END is durable. It decides nothing itself: this file is all it knows of the kernel.
 */
import type { ErrorCode, Refusal } from '../base/errors.ts';
import type { CallId } from '../base/ids.ts';
import type { JsonRecord } from '../base/json.ts';
import type { ModelCall, ModelOutcome } from '../base/model.ts';

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

/** A call of a tool that mezz offers. */
export interface ToolRequest {
  readonly name: string;
  readonly input: JsonRecord;
  /** The client's own name for this use of the tool, which its retries carry too. */
  readonly use?: string | undefined;
  /** A cut connection is not the client's word that it wants the call no more. */
  readonly outlives?: boolean;
}

export interface ToolReply {
  /** Whose answer it is; none where the request was refused before it was a call. */
  readonly call: CallId | undefined;
  readonly answer: { readonly result: JsonRecord } | Refusal;
}

export interface Kernel {
  identify(secret: string): Caller | undefined;
  /** The whole walk; `accepted` is called with the call's id before anything is decided. */
  model(caller: Caller, kind: ModelKind, call: ModelCall, accepted: (id: CallId) => void): Promise<ModelWalk>;
  hook(caller: Caller, event: HookEvent, signal: AbortSignal): Promise<HookAnswer>;
  /** Definitions of the tools that mezz offers, as their servers word them, by the names that agents call. */
  tools(): Promise<readonly JsonRecord[]>;
  tool(caller: Caller, asked: ToolRequest, signal: AbortSignal): Promise<ToolReply>;
  /** The answer of a tool call has left; or its connection was cut before. */
  told(call: CallId, isDelivered: boolean): void;
  readonly version: string;
  models(): readonly ListedModel[];
  ready(): boolean;
  metrics(): string;
  /** A request that was refused before there was an agent: told to observers, never journaled. */
  refusedAtDoor(code: ErrorCode): void;
}
