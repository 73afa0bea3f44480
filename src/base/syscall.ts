/** The syscalls' names and payloads. What each needs and how it is performed is the table in gate/syscalls.ts. */
import type { CallId, Pid, TurnId } from './ids.ts';
import type { JsonRecord } from './json.ts';
import type { Manifest } from './manifest.ts';
import type { RpcError } from './mcp.ts';
import type { ModelCall, ModelOutcome } from './model.ts';
import type { ServerRequest } from './ports.ts';

/** A tool call that the agent's own client makes (by hook or held) or that mezz makes for it. */
export interface ToolCall {
  /** The tool's name as its client calls it: `Bash`, `Edit`, `exec`. */
  readonly tool: string;
  /** Who runs the tool: `claude-code`, `codex`, or a tool server's name. */
  readonly server: string;
  readonly input: JsonRecord;
  /** The client's own id for this use of the tool: retries carry the same one. */
  readonly toolUseId: string;
  /** The client gave no id: several uses may share this one. */
  readonly isUnnamed?: true;
  readonly how: 'hooked' | 'held' | 'brokered';
  /** What is known of the tool of a tool server; nothing where nobody described it. */
  readonly manifest?: Manifest;
  /** Where it runs, as its client says; the agent's own directory by default. */
  readonly cwd?: string;
  /** A brokered call as its client worded it. A method that is not `tools/call` is the `tool` of this call. */
  readonly request?: ServerRequest;
}

/** Why a signal was aborted: the client said in words that it wants the call no more. */
export const WITHDRAWN = 'withdrawn';

export type ToolOutcome =
  /** The client may go on; it reports the outcome later under the same tool-use id. */
  | { readonly kind: 'released' }
  /** mezz called the tool server itself; `result` is its answer. */
  | {
      readonly kind: 'called';
      readonly result: JsonRecord;
      readonly isError: boolean;
      /** Instead of a result: an error of the protocol, by the server. */
      readonly error?: RpcError;
    };

export interface Payloads {
  'model.generate': ModelCall;
  'model.embed': ModelCall;
  'model.count': ModelCall;
  'model.object': ModelCall;
  'tool.call': ToolCall;
}
export interface Outcomes {
  'model.generate': ModelOutcome;
  'model.embed': ModelOutcome;
  'model.count': ModelOutcome;
  'model.object': ModelOutcome;
  'tool.call': ToolOutcome;
}
export type SyscallKind = keyof Payloads;

export interface Syscall<K extends SyscallKind = SyscallKind> {
  readonly id: CallId;
  readonly kind: K;
  readonly agent: Pid;
  readonly turn?: TurnId;
  /**
   * The call whose refused answer this one goes on from: the gate made it, no client did. Of a tool call: the one in which
   * the agent's client asked about it by hook before it called the tool; what it counts is counted there.
   */
  readonly continues?: CallId;
  readonly arrivedAt: number;
  /** The caller's own timeout, as wall time in ms: waiting past it helps nobody. */
  readonly deadlineAt?: number;
  readonly payload: Payloads[K];
}
