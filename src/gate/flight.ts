/** One call on its way through the gate: what the stages learn and leave for the next. */
import type { GuardedCall } from '../access/loop.ts';
import type { Agent } from '../agents/table.ts';
import type { TraceStep } from '../base/control.ts';
import type { Refusal } from '../base/errors.ts';
import { sha256Hex } from '../base/hash.ts';
import type { JsonRecord } from '../base/json.ts';
import type { RetryClass } from '../base/manifest.ts';
import type { ModelCall } from '../base/model.ts';
import type { Syscall, SyscallKind } from '../base/syscall.ts';
import type { Charge, Reservation } from '../budget/ledger.ts';
import type { CallRow } from '../db/schema/journal.ts';
import type { ChainLink } from '../journal/chain.ts';
import type { Toll } from '../scheduler/meter.ts';
import type { Grant } from '../scheduler/scheduler.ts';
import type { Before } from '../tools/before.ts';
import type { Effect } from '../tools/effects.ts';
import type { Place } from '../tools/locks.ts';
import type { Part } from '../tools/shorten.ts';
import type { Candidate, Login } from './catalog.ts';
import { LIMITS } from './limits.ts';
import type { Suspension } from './suspension.ts';
import { type ResourceName, SYSCALLS } from './syscalls.ts';
import type { WaitReason } from './waits.ts';

/** What a stage says: go on, refuse, or wait and then enter again at decide. Values, never exceptions. */
export type Stage<T> =
  | { readonly kind: 'go'; readonly value: T }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }
  | {
      readonly kind: 'wait';
      readonly reason: WaitReason;
      readonly resource: string /** One question for the whole tree of agents. */;
      readonly ofTree?: boolean;
      /** It waits no longer than this, whatever its own deadline. */
      readonly holdMs?: number;
      onDeadline(): Refusal;
    };

export const go = <T>(value: T): Stage<T> => ({ kind: 'go', value });
export const refuse = (refusal: Refusal): Stage<never> => ({ kind: 'refuse', refusal });

/** The scopes that pay: the agent and its parents, their owner, the account and those above it. */
export const scopesOf = (chain: readonly Agent[], owner: string, accounts: readonly string[]): string[] => [
  ...chain.map((agent) => `agent:${agent.pid}`),
  `owner:${owner}`,
  ...accounts.map((account) => `account:${account}`),
];

const NO_TOLLS: ReadonlyMap<string, Toll> = new Map();

export class Flight<K extends SyscallKind = SyscallKind> {
  readonly call: Syscall<K>;
  readonly agent: Agent;
  /** The agent and its parents, itself first. */
  readonly chain: readonly Agent[];
  readonly keyId: string;
  readonly login: Login | undefined;
  readonly resource: ResourceName;
  readonly args: JsonRecord;
  /** The exact arguments: the decoded body of a model call, a tool call as canonical JSON. */
  readonly body: Uint8Array | string;
  /** SHA-256 over them, hex. */
  readonly digest: string;
  /** What the loop guard counts. */
  readonly guarded: GuardedCall;
  readonly deadlineAt: number;
  /** Since when it stands in the order: a retry keeps the place it had. */
  since: number;
  readonly signal: AbortSignal | undefined;
  /** Ends the call from the kernel's side: kill, freeze, shutdown. */
  readonly killer = new AbortController();

  candidates: readonly Candidate[] = [];
  /** Why the call may never pass, found before decide: an upstream object that is not the agent's. */
  barred: Refusal | undefined;
  /** Where the upstream object lives that this call names, if it names one. */
  objectBackend: string | undefined;
  /** The message chain of a model call. */
  links: readonly ChainLink[] = [];
  /** The accounts that pay: the granted login's, and those above it when the budget was reserved. */
  accounts: readonly string[] = [];
  /** What fit found that it would take, and where. */
  charged: { readonly at: Candidate | undefined; readonly charge: Charge } | undefined;
  reserved: Reservation = { usd: 0, tokens: 0, output: 0, requests: 0 };
  /** The call's state row as far as it is written. */
  row: CallRow | undefined;
  granted: Candidate | undefined;
  /** Why it was granted when it was, if it waited. */
  order: Grant | undefined;
  /** What a tool call touches; empty where nothing of another agent's. */
  effects: readonly Effect[] = [];
  /** What the files hold that it may change. */
  before: readonly Before[] = [];
  /** Where a tool call that mezz makes takes a place beside its locks. */
  places: readonly Place[] = [];
  /** It holds the locks of its effects, and nobody else gives them back. */
  locked = false;
  /** Under these locks it was looked at what the call would undo: nothing. */
  inspected = false;
  /** How it stands in the ledger of tool uses; undefined for what may be made again freely. */
  use: { readonly name: string | undefined; readonly retry: RetryClass; readonly tool: string } | undefined;
  /** Parts of its result that were too large to be shown whole. */
  rest: readonly Part[] = [];
  /** It goes on when its client is gone, so that the client can come back for the outcome. */
  outlives = false;
  /** Its client took a task in place of its answer: it may wait as long as a call may. */
  isTask = false;
  /** How often its client was told that it waits. */
  beats = 0;
  /** The model call as it leaves, named transforms applied. */
  outgoing: ModelCall | undefined;
  /** The rate limits it counts against, by backend; none where it is let go whatever they hold. */
  tolls: ReadonlyMap<string, Toll> = NO_TOLLS;
  /** When its provider forgets what it has cached of the conversation. */
  cacheUntil: number | undefined;
  /** What it has taken of one, until it has ended. */
  toll: Toll | undefined;
  /** How it is stopped while its backend performs it, where that can. */
  suspension: Suspension | undefined;
  attempt = 0;
  startedAt: number | undefined;
  readonly steps: TraceStep[] = [];

  constructor(fields: {
    call: Syscall<K>;
    chain: readonly Agent[];
    keyId: string;
    login: Login | undefined;
    signal: AbortSignal | undefined;
  }) {
    this.call = fields.call;
    this.chain = fields.chain;
    this.agent = fields.chain[0] as Agent;
    this.keyId = fields.keyId;
    this.login = fields.login;
    this.signal = fields.signal;
    const spec = SYSCALLS[fields.call.kind];
    this.resource = spec.resource(fields.call.payload);
    this.args = spec.args(fields.call.payload);
    this.body = spec.body(fields.call.payload);
    this.digest = sha256Hex(this.body);
    const tree = (fields.chain.at(-1) as Agent).pid;
    this.guarded = { call: `${this.agent.pid} ${this.digest}`, tree };
    this.since = fields.call.arrivedAt;
    this.deadlineAt = fields.call.deadlineAt ?? fields.call.arrivedAt + LIMITS.maxHoldMs.value;
  }

  /** The agent's own client runs it and orders it among the agent's other calls. */
  get isHooked(): boolean {
    return 'how' in this.call.payload && this.call.payload.how === 'hooked';
  }

  /** Its client asked about it by hook, and is in the books for it. */
  get isJoined(): boolean {
    return this.call.kind === 'tool.call' && this.call.continues !== undefined;
  }

  /** It asks for locks or places before it runs. */
  get isLocking(): boolean {
    return this.effects.length > 0 || this.places.length > 0;
  }

  /** Remembers a step for `mezz trace`. */
  step(now: number, stage: string, detail: string): void {
    if (this.steps.length < LIMITS.traceSteps.value) {
      this.steps.push({ atMs: now - this.call.arrivedAt, stage, detail });
    }
  }
}
