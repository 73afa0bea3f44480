/**
 * The control protocol: what the command line and the SDK say to the kernel over the unix socket `control.sock` in
 * the state directory (0700). One HTTP/1.1 request a verb: `POST /v1/<verb>` with the request as JSON; the answer is
 * the response as JSON with a member `schema` (`mezz.<verb>/1`), or `{ "error": Refusal }` with its table status. A
 * request that is not as VERBS says is refused before anything sees it.
 */
import type { Refusal } from './errors.ts';
import type { JsonRecord } from './json.ts';
import { type BackendView, MODEL_VERBS, type ModelVerbs } from './models.ts';
import { type LimitView, MONEY_VERBS, type MoneyVerbs, type WindowView } from './money.ts';
import { ORDER_VERBS, type OrderVerbs, type WaitView } from './order.ts';
import type { ContextMap, Pulse, RoomView } from './sheets.ts';
import { type DoubtView, TOOL_VERBS, type ToolVerbs } from './tools.ts';
import type { NanoUsd, Usage } from './usage.ts';
import {
  count,
  flag,
  json,
  listOf,
  long,
  maybe,
  object,
  oneOf,
  orNull,
  type Requests,
  type Selector,
  text,
  type Verb,
  whole,
} from './verb.ts';

export type AgentState =
  | 'ready'
  | 'running'
  | 'waiting'
  | 'waiting-for-you'
  | 'paused'
  | 'stopped'
  | 'exited';
export type CoverageLevel = 'none' | 'seen' | 'held' | 'hooked' | 'enclosed';

export interface AgentView {
  readonly pid: number;
  readonly name: string;
  readonly parent: number | null;
  readonly owner: string;
  readonly account: string | null;
  readonly client: string;
  readonly state: AgentState;
  /** What it waits for, in words, or null. */
  readonly waitsFor: string | null;
  readonly nice: number;
  readonly hosted: boolean;
  readonly osPid: number | null;
  readonly createdAt: number;
  readonly lastAt: number | null;
  readonly exitCode: number | null;
  readonly calls: number;
  readonly turns: number;
  readonly usage: Usage;
  readonly cost: NanoUsd;
  readonly coverage: CoverageView;
  readonly worktree: string | null;
}
/** Mediation coverage: of the agent's own tool calls seen, how many were decided before they happened. */
export interface CoverageView {
  readonly level: CoverageLevel;
  readonly seen: number;
  readonly decided: number;
}
/** One level of mediation for one agent: does it hold, what does it cover, and what does it not. */
export interface LevelView {
  readonly level: Exclude<CoverageLevel, 'none'>;
  readonly holds: boolean;
  readonly covers: string;
  readonly misses: string;
}
export interface CallView {
  readonly id: string;
  readonly agent: number;
  readonly kind: string;
  readonly target: string;
  readonly state: 'running' | 'waiting' | 'done' | 'failed' | 'refused' | 'in_doubt';
  readonly code: string | null;
  readonly arrivedAt: number;
  readonly endedAt: number | null;
  readonly usage: Usage | null;
  readonly cost: NanoUsd | null;
  readonly turn: string | null;
}
/** One step in a call's life; `atMs` counts from its arrival. */
export interface TraceStep {
  readonly atMs: number;
  readonly stage: string;
  readonly detail: string;
}
export interface ApprovalView {
  readonly id: string;
  readonly agent: number;
  readonly agentName: string;
  readonly action: string;
  readonly target: string;
  readonly args: JsonRecord;
  readonly digest: string;
  readonly rule: string;
  readonly state: 'open' | 'approved' | 'denied' | 'expired' | 'used';
  readonly openedAt: number;
  readonly expiresAt: number;
}
export interface KeyView {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly agent: number | null;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
  readonly revoked: boolean;
}
export interface Finding {
  readonly id: string;
  readonly level: 'ok' | 'note' | 'warn' | 'fail';
  readonly text: string;
  readonly remedy: string | null;
}
/** What became of one call that the gate had to refuse, made by a real client through its own hooks. */
export interface HookTrial {
  readonly client: string;
  readonly version: string | null;
  /** `no-call`: the client made no call, so nothing is proven; `detail` says why. */
  readonly outcome: 'refused' | 'let-through' | 'never-asked' | 'no-call' | 'not-installed';
  readonly detail: string | null;
}
export type Signal = 'pause' | 'resume' | 'stop' | 'kill';

/** What a started program needs: set by environment, arguments or files in a temporary directory, never in a user's files. */
export interface Launch {
  readonly pid: number;
  readonly name: string;
  /** The agent's own token: shown once, kept only as a hash. */
  readonly token: string;
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  readonly hooks: boolean;
  /** mezz offers tools by MCP at `/mcp`. */
  readonly tools?: true;
  readonly cwd: string;
}

/** What takes the room: rows and bytes of content by kind, by agent and by owner. */
export interface StoreSizesView {
  readonly fileBytes: number;
  readonly freeBytes: number;
  readonly entries: readonly { readonly agent: number; readonly rows: number; readonly bytes: number }[];
  readonly bodies: readonly { readonly owner: string; readonly rows: number; readonly bytes: number }[];
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly bytes: number }[];
}

export interface ControlVerbs extends ModelVerbs, MoneyVerbs, OrderVerbs, ToolVerbs {
  status: Verb<
    Record<string, never>,
    {
      version: string;
      pid: number;
      origin: string;
      stateDir: string;
      startedAt: number;
      agents: number;
      waiting: number;
      running: number;
      profile: string;
      warnings: string[];
    }
  >;
  down: Verb<{ graceMs?: number }, { draining: number }>;
  ps: Verb<{ all?: boolean }, { agents: AgentView[]; doubts: DoubtView[] }>;
  /** `spanMs`: the time that the pulses' recent calls cover, an hour or less. */
  top: Verb<
    { all?: boolean },
    {
      kernel: { version: string; startedAt: number; origin: string; pid: number };
      spanMs: number;
      agents: (AgentView & Pulse)[];
      approvals: ApprovalView[];
      windows: WindowView[];
    }
  >;
  free: Verb<
    Record<string, never>,
    RoomView & { backends: BackendView[]; limits: LimitView[]; windows: WindowView[] }
  >;
  pmap: Verb<Selector, ContextMap & { agent: Pick<AgentView, 'pid' | 'name' | 'client' | 'state'> }>;
  'agent.show': Verb<
    Selector,
    { agent: AgentView; limits: LimitView[]; recent: CallView[]; levels: LevelView[]; guarantees: string[] }
  >;
  'agent.open': Verb<
    {
      name?: string;
      nice?: number;
      owner?: string;
      parent?: string;
      client: string;
      budget?: NanoUsd;
      count?: number;
      hosted?: boolean;
      /** Who looks after it: the program that asks, until `agent.started` names the agent's own. */
      osPid?: number;
      startTicks?: number;
      cwd: string;
      hooks: boolean;
      hold?: boolean;
      /** What happens at a provider's rate limit, where not as the setting says. */
      onLimit?: 'wait' | 'sleep' | 'fail';
    },
    { launches: Launch[] }
  >;
  'agent.started': Verb<Selector & { osPid: number; startTicks?: number }, Record<string, never>>;
  /** Records the worktree made for an agent, or (null) that it is gone; its name is free again then. */
  'agent.worktree': Verb<Selector & { worktree: string | null }, Record<string, never>>;
  'agent.exited': Verb<Selector & { exitCode: number | null; signal: string | null }, Record<string, never>>;
  signal: Verb<Selector & { signal: Signal; revoke?: boolean; tree?: boolean }, { agents: number[] }>;
  /** Its answers wait until each tool call in them is decided, its sub-agents' too where they have no switch. */
  'agent.hold': Verb<Selector & { on: boolean }, { agent: AgentView }>;
  nice: Verb<Selector & { nice: number }, Record<string, never>>;
  calls: Verb<{ agent?: string; since?: number; limit?: number; state?: string }, { calls: CallView[] }>;
  trace: Verb<{ call: string }, { call: CallView; steps: TraceStep[]; entries: JsonRecord[] }>;
  why: Verb<{ subject: string }, { waits: WaitView[]; text: string[] }>;
  keys: Verb<Record<string, never>, { keys: KeyView[] }>;
  'key.create': Verb<{ name: string; owner?: string; agent?: string }, { key: KeyView; secret: string }>;
  'key.revoke': Verb<{ key: string }, { key: KeyView }>;
  inbox: Verb<{ all?: boolean }, { approvals: ApprovalView[]; doubts: DoubtView[] }>;
  approve: Verb<{ approval: string }, { approval: ApprovalView }>;
  deny: Verb<{ approval: string; reason?: string }, { approval: ApprovalView }>;
  can: Verb<
    { agent: string; action: string; resource: string; args?: JsonRecord },
    { decision: 'permit' | 'forbid' | 'ask'; rules: string[]; message: string; remedy: string | null }
  >;
  policy: Verb<
    Record<string, never>,
    { profile: string; epoch: number; sources: { name: string; rules: number }[]; text: string }
  >;
  'policy.check': Verb<{ text: string }, { findings: readonly Finding[] }>;
  'policy.test': Verb<
    { text: string; since?: number; agent?: string },
    {
      recorded: number;
      tested: number;
      /** Calls that cannot be decided again: their body is not stored, or their agent is unknown. */
      untestable: { body: number; agent: number };
      /** More calls were recorded, or more would change, than this answer covers. */
      more: boolean;
      changed: {
        call: string;
        agent: number;
        action: string;
        target: string;
        before: string;
        after: string;
        rule: string;
      }[];
    }
  >;
  'policy.apply': Verb<{ text?: string; profile?: string }, { epoch: number; findings: readonly Finding[] }>;
  freeze: Verb<{ agent?: string; all?: boolean; thaw?: boolean }, { frozen: string[] }>;
  /** `pruned` of the entries went by retention: they are proven to have been there, and can no longer be shown. */
  'audit.verify': Verb<
    Record<string, never>,
    { entries: number; pruned: number; root: string; problems: string[] }
  >;
  /** `trials`: what the command line tried just now; without it nothing was tried, and that is a finding. */
  doctor: Verb<{ trials?: HookTrial[] }, { findings: readonly Finding[] }>;
  config: Verb<Record<string, never>, { config: JsonRecord; file: string | null; problems: string[] }>;
  'config.limits': Verb<
    Record<string, never>,
    { limits: { name: string; value: number; unit: string; folder: string; what: string }[] }
  >;
  'config.reload': Verb<Record<string, never>, { problems: string[] }>;
  store: Verb<
    Record<string, never>,
    { entries: number; blobs: number; blobBytes: number; fileBytes: number; schemaVersion: number }
  >;
  backup: Verb<{ path: string }, { path: string; bytes: number }>;
  fsck: Verb<Record<string, never>, { checked: number; problems: string[] }>;
  /** Without any rule the settings' own. */
  gc: Verb<
    { beforeMs?: number; keepBytes?: number; entriesBeforeMs?: number; dryRun?: boolean },
    { blobs: number; bytes: number; entries: number; calls: number; dryRun: boolean }
  >;
  /** An agent (with `tree` also those below it), or everything of an owner and the secret of its commitments. */
  forget: Verb<
    { agent?: string; tree?: boolean; owner?: string },
    { agents: number[]; blobs: number; bytes: number; shared: number }
  >;
  du: Verb<Record<string, never>, StoreSizesView>;
  export: Verb<{ directory: string; bodies?: boolean }, { files: { path: string; rows: number }[] }>;
}
export type VerbName = keyof ControlVerbs;
export type VerbRequest<V extends VerbName> = ControlVerbs[V]['request'];
export type VerbResponse<V extends VerbName> = ControlVerbs[V]['response'];

/** Every verb and what a request to it holds; the compiler keeps it whole. */
export const VERBS: Requests<ControlVerbs> = {
  ...MODEL_VERBS,
  ...MONEY_VERBS,
  ...ORDER_VERBS,
  ...TOOL_VERBS,
  status: {},
  down: { graceMs: maybe(count()) },
  ps: { all: maybe(flag) },
  top: { all: maybe(flag) },
  free: {},
  pmap: { agent: text },
  'agent.show': { agent: text },
  'agent.open': {
    name: maybe(text),
    nice: maybe(whole),
    owner: maybe(text),
    parent: maybe(text),
    client: text,
    budget: maybe(count()),
    count: maybe(count(1)),
    hosted: maybe(flag),
    osPid: maybe(count(1)),
    startTicks: maybe(count()),
    cwd: long,
    hooks: flag,
    hold: maybe(flag),
    onLimit: maybe(oneOf('wait', 'sleep', 'fail')),
  },
  'agent.started': { agent: text, osPid: count(1), startTicks: maybe(count()) },
  'agent.worktree': { agent: text, worktree: orNull(long) },
  'agent.exited': { agent: text, exitCode: orNull(whole), signal: orNull(text) },
  'agent.hold': { agent: text, on: flag },
  signal: {
    agent: text,
    signal: oneOf('pause', 'resume', 'stop', 'kill'),
    revoke: maybe(flag),
    tree: maybe(flag),
  },
  nice: { agent: text, nice: whole },
  calls: { agent: maybe(text), since: maybe(whole), limit: maybe(count(1)), state: maybe(text) },
  trace: { call: text },
  why: { subject: text },
  keys: {},
  'key.create': { name: text, owner: maybe(text), agent: maybe(text) },
  'key.revoke': { key: text },
  inbox: { all: maybe(flag) },
  approve: { approval: text },
  deny: { approval: text, reason: maybe(long) },
  can: { agent: text, action: text, resource: long, args: maybe(json) },
  policy: {},
  'policy.check': { text: long },
  'policy.test': { text: long, since: maybe(whole), agent: maybe(text) },
  'policy.apply': { text: maybe(long), profile: maybe(text) },
  freeze: { agent: maybe(text), all: maybe(flag), thaw: maybe(flag) },
  'audit.verify': {},
  doctor: {
    trials: maybe(
      listOf(
        object<HookTrial>({
          client: text,
          version: orNull(long),
          outcome: oneOf('refused', 'let-through', 'never-asked', 'no-call', 'not-installed'),
          detail: orNull(long),
        }),
      ),
    ),
  },
  config: {},
  'config.limits': {},
  'config.reload': {},
  store: {},
  backup: { path: long },
  fsck: {},
  gc: {
    beforeMs: maybe(whole),
    keepBytes: maybe(count()),
    entriesBeforeMs: maybe(whole),
    dryRun: maybe(flag),
  },
  du: {},
  forget: { agent: maybe(text), tree: maybe(flag), owner: maybe(text) },
  export: { directory: long, bodies: maybe(flag) },
};

export interface ControlError {
  readonly error: Refusal;
}
