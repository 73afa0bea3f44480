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

export interface Kernel {
  identify(secret: string): Caller | undefined;
  /** The whole walk; `accepted` is called with the call's id before anything is decided. */
  model(caller: Caller, kind: ModelKind, call: ModelCall, accepted: (id: CallId) => void): Promise<ModelWalk>;
  hook(caller: Caller, event: HookEvent, signal: AbortSignal): Promise<HookAnswer>;
  /** Definitions of the tools that mezz offers, as their servers word them, by the names that agents call. */
  tools(): Promise<readonly JsonRecord[]>;
  tool(
    caller: Caller,
    name: string,
    input: JsonRecord,
    signal: AbortSignal,
  ): Promise<{ readonly result: JsonRecord } | Refusal>;
  readonly version: string;
  models(): readonly ListedModel[];
  ready(): boolean;
  metrics(): string;
  /** A request that was refused before there was an agent: told to observers, never journaled. */
  refusedAtDoor(code: ErrorCode): void;
}
