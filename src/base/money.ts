/** Money, plans and their limits, as the control protocol tells and changes them. */
import type { NanoUsd, Usage } from './usage.ts';
import { flag, maybe, number, oneOf, orNull, type Requests, text, type Verb, whole } from './verb.ts';

export interface LimitView {
  readonly id: string;
  /** `account:<id>`, `agent:<pid>` or `owner:<id>`. */
  readonly scope: string;
  /** `share`: of the account's plan window, in percent, as its provider reports it. */
  readonly dimension: 'usd' | 'tokens' | 'requests' | 'output' | 'share';
  /** `5h` and `7d` are plan windows: they begin with their first use, or where the provider's own began. */
  readonly period: 'total' | 'day' | 'month' | '5h' | '7d';
  /** Nano-dollars for `usd`, percent for `share`, else a count. */
  readonly cap: number;
  readonly used: number;
  readonly held: number;
  readonly strict: boolean;
  /** `config`: mezz.yaml set it. */
  readonly source: 'config' | 'operator';
  /** When the period ends; null where it never does, or has not begun. */
  readonly resetsAt: number | null;
}
export interface BillRow {
  readonly key: string;
  /** An agent's name; null where the key says all. */
  readonly name: string | null;
  readonly requests: number;
  readonly usage: Usage;
  readonly cost: NanoUsd;
}
export interface WindowView {
  readonly account: string;
  readonly name: string;
  readonly usedShare: number;
  readonly resetsAt: number | null;
  readonly status: string | null;
  readonly seenAt: number;
  /** When it is full at the rate of late; null where it is not before it begins anew, or nothing is known. */
  readonly fullAt: number | null;
  /** The agents that would wait first then, by name; empty where `fullAt` is null. */
  readonly first: readonly string[];
}
/** A part of a plan window that is kept for `agent:<name>` or `owner:<id>`. */
export interface ReserveView {
  readonly account: string;
  readonly span: string;
  readonly who: string;
  readonly percent: number;
}
/** A rate limit as it stands: of an account (`mezz.yaml`), or of `<account> <model>` as its provider showed it. */
export interface RateView {
  readonly limit: string;
  readonly of: 'requests' | 'input' | 'output' | 'tokens' | 'streams' | 'usd';
  /** In a minute; at once, for streams; in an hour and in nano-dollars, for usd. */
  readonly most: number;
  readonly left: number;
  /** How it is known. */
  readonly from: 'headers' | 'refusals' | 'mezz.yaml';
}
/** Whose money or plan. `used` counts what passed through it and the accounts below it. */
export interface AccountView {
  readonly id: string;
  readonly parent: string | null;
  readonly kind: 'kernel' | 'client' | 'local' | 'group';
  readonly provider: string;
  readonly owner: string | null;
  readonly used: Omit<BillRow, 'key' | 'name'>;
  readonly limits: readonly LimitView[];
  readonly windows: readonly WindowView[];
}

export interface MoneyVerbs {
  limits: Verb<
    { scope?: string },
    { limits: LimitView[]; windows: WindowView[]; reserves: readonly ReserveView[]; rates: RateView[] }
  >;
  /** Keeps a part of an account's plan window for an agent (by its name) or an owner; 0 percent: no more. */
  'limit.reserve': Verb<
    { account: string; span: '5h' | '7d'; who: string; percent: number },
    { reserves: readonly ReserveView[] }
  >;
  'limit.set': Verb<
    {
      scope: string;
      dimension: LimitView['dimension'];
      period: LimitView['period'];
      cap: number | null;
      strict?: boolean;
    },
    { limit: LimitView | null }
  >;
  bill: Verb<
    { by: 'agent' | 'account' | 'model' | 'day' | 'owner'; since?: number; agent?: string },
    { rows: BillRow[]; total: BillRow; estimateError: number | null }
  >;
  accounts: Verb<Record<string, never>, { accounts: AccountView[] }>;
}
export const MONEY_VERBS: Requests<MoneyVerbs> = {
  limits: { scope: maybe(text) },
  'limit.set': {
    scope: text,
    dimension: oneOf('usd', 'tokens', 'requests', 'output', 'share'),
    period: oneOf('total', 'day', 'month', '5h', '7d'),
    cap: orNull(whole),
    strict: maybe(flag),
  },
  'limit.reserve': { account: text, span: oneOf('5h', '7d'), who: text, percent: number },
  bill: {
    by: oneOf('agent', 'account', 'model', 'day', 'owner'),
    since: maybe(whole),
    agent: maybe(text),
  },
  accounts: {},
};
