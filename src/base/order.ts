/** The order of calls, as the control protocol tells and changes it. */
import type { CacheView } from './models.ts';
import {
  count,
  flag,
  listOf,
  long,
  mapOf,
  maybe,
  number,
  type Requests,
  text,
  type Verb,
  whole,
} from './verb.ts';

/** The order in force. */
export interface OrderView {
  readonly policy: string;
  readonly text: string;
  /** The operator's own file, if the policy is one. */
  readonly file: string | null;
  /** `operator`: set since mezz.yaml was written; holds across restarts. */
  readonly source: 'config' | 'operator';
  /** Why another policy than the one that was set is in charge, if one is. */
  readonly fault: string | null;
  readonly weights: Readonly<Record<string, number>>;
  readonly reload: number;
  readonly maxWaitMs: number;
  readonly queue: number;
}
/** What `sched.set` changes; what is left out stays. `policy` is a name, or the absolute path of a file. */
export interface SchedChange {
  readonly policy?: string;
  readonly weights?: Readonly<Record<string, number>>;
  readonly reload?: number;
  readonly maxWaitMs?: number;
  /** All as mezz.yaml says. */
  readonly reset?: boolean;
}
/** One that waits, in the order in force. */
export interface LineView {
  readonly call: string;
  readonly agent: number;
  readonly agentName: string;
  readonly owner: string;
  readonly resources: readonly string[];
  readonly waitedMs: number;
  readonly reasons: readonly string[];
}
/** Who had which backend when. */
export interface SpanView {
  readonly call: string;
  readonly agent: number;
  readonly agentName: string;
  readonly backend: string;
  readonly arrivedAt: number;
  readonly startedAt: number;
  /** null: it runs. */
  readonly endedAt: number | null;
}
/** What an agent's calls waited, all together, and what they would have waited under other policies. */
export interface WhatifRow {
  readonly agent: number;
  readonly agentName: string;
  readonly calls: number;
  readonly waitedMs: number;
  /** How far a replay of the policy in force is off from what was: smaller differences say nothing. */
  readonly errorMs: number;
  /** For each policy that was asked about, its replay less that of the policy in force. */
  readonly changesMs: readonly number[];
}
/** Another call that goes before one that waits: it has what that one waits for, or is ahead of it in the order. */
export interface RivalView {
  readonly call: string;
  readonly agent: number;
  readonly agentName: string;
  /** What it has, and for how long; null: it waits too. */
  readonly has: { readonly resource: string; readonly sinceMs: number } | null;
  /** Why it stands where it does. */
  readonly reasons: readonly string[];
}
export interface WaitView {
  readonly call: string;
  readonly agent: number;
  readonly kind: string;
  /** `slot`, `lock`, `approval`, `pause`. */
  readonly waitsFor: string;
  readonly resource: string;
  readonly sinceMs: number;
  readonly reasons: readonly string[];
  readonly ahead: number | null;
  /** Who has what it waits for, then who is next before it; the first of each. */
  readonly rivals: readonly RivalView[];
  /** How much longer it should wait, and how far such estimates were off on average as a share; null: not known. */
  readonly estimateMs: number | null;
  readonly estimateError: number | null;
}

/** The verbs about the order. */
export interface OrderVerbs {
  /** The order in force, who is next (the first of those that wait), and the caches that hold somebody back or may. */
  sched: Verb<
    Record<string, never>,
    { order: OrderView; line: LineView[]; caches: (CacheView & { backend: string })[] }
  >;
  'sched.set': Verb<SchedChange, { order: OrderView }>;
  'sched.policies': Verb<
    Record<string, never>,
    { policies: { name: string; text: string; inForce: boolean }[] }
  >;
  /** Calls that had a backend between two instants, the latest at most. */
  'sched.gantt': Verb<
    { since?: number; until?: number; agent?: string },
    { since: number; until: number; spans: SpanView[]; more: boolean }
  >;
  /** Recorded calls replayed under other policies, by name or by the absolute path of a file. */
  whatif: Verb<
    { policies: string[]; since?: number },
    { since: number; inForce: string; calls: number; left: number; more: boolean; rows: WhatifRow[] }
  >;
}
export const ORDER_VERBS: Requests<OrderVerbs> = {
  sched: {},
  'sched.set': {
    policy: maybe(long),
    weights: maybe(mapOf(number)),
    reload: maybe(number),
    maxWaitMs: maybe(count()),
    reset: maybe(flag),
  },
  'sched.policies': {},
  'sched.gantt': { since: maybe(whole), until: maybe(whole), agent: maybe(text) },
  whatif: { policies: listOf(long), since: maybe(whole) },
};
