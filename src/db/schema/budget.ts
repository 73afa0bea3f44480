import type { Table } from '../store.ts';
import { table } from './table.ts';

/**
 * What a scope has used: all of it where the period is `total`, `start` then 0; else what it had used before the day or
 * month that began at `start` in UTC, written with its first use in it. Counts are exact.
 */
export type BalanceRow = {
  period: string;
  start: number;
  /** `account:<id>`, `owner:<id>` or `agent:<pid>`. */
  scope: string;
  requests: number;
  input: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
  reasoning: number;
  cost: number;
};

export const BALANCE = table<BalanceRow>(
  'balance',
  {
    period: 'text',
    start: 'int',
    scope: 'text',
    requests: 'int',
    input: 'int',
    cacheRead: 'int',
    cacheWrite: 'int',
    output: 'int',
    reasoning: 'int',
    cost: 'int',
  },
  ['period', 'start', 'scope'],
);

/** What bills are made of: one row per day, agent, account, owner and model. `id` joins the last four. */
export type UsageRow = {
  day: number;
  id: string;
  agent: number;
  /** Empty where no account pays. */
  account: string;
  owner: string;
  model: string;
  requests: number;
  input: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
  reasoning: number;
  cost: number;
};

export const USAGE = table<UsageRow>(
  'usage',
  {
    day: 'int',
    id: 'text',
    agent: 'int',
    account: 'text',
    owner: 'text',
    model: 'text',
    requests: 'int',
    input: 'int',
    cacheRead: 'int',
    cacheWrite: 'int',
    output: 'int',
    reasoning: 'int',
    cost: 'int',
  },
  ['day', 'id'],
);

/** A cap. `id` is `<scope>/<dimension>/<period>`: one cap for each. */
export type LimitRow = {
  id: string;
  scope: string;
  dimension: string;
  period: string;
  cap: number;
  strict: number;
  /** `config` where mezz.yaml set it; null where an operator did. */
  source: string | null;
};

export const LIMIT = table<LimitRow>(
  'budget_limit',
  {
    id: 'text',
    scope: 'text',
    dimension: 'text',
    period: 'text',
    cap: 'int',
    strict: 'int',
    source: 'text?',
  },
  ['id'],
);

/** What a scope used in the plan window that began at `start`; `id` is `<scope>/<span>`. Only scopes with such a limit. */
export type SpanRow = {
  id: string;
  scope: string;
  span: string;
  start: number;
  requests: number;
  input: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
  reasoning: number;
  cost: number;
};

export const SPAN = table<SpanRow>(
  'budget_span',
  {
    id: 'text',
    scope: 'text',
    span: 'text',
    start: 'int',
    requests: 'int',
    input: 'int',
    cacheRead: 'int',
    cacheWrite: 'int',
    output: 'int',
    reasoning: 'int',
    cost: 'int',
  },
  ['id'],
);

/** The newest reading of a plan window that a provider reported. */
export type WindowRow = {
  account: string;
  name: string;
  usedShare: number;
  resetsAt: number | null;
  status: string | null;
  seenAt: number;
};

export const WINDOW = table<WindowRow>(
  'plan_window',
  { account: 'text', name: 'text', usedShare: 'real', resetsAt: 'int?', status: 'text?', seenAt: 'int' },
  ['account', 'name'],
);

/** A part of an account's plan window that is kept for `who`: `agent:<name>` or `owner:<id>`. */
export type ReserveRow = {
  id: string;
  account: string;
  span: string;
  who: string;
  percent: number;
};

export const RESERVE = table<ReserveRow>(
  'plan_reserve',
  { id: 'text', account: 'text', span: 'text', who: 'text', percent: 'int' },
  ['id'],
);

/** Whose money or plan. A client's own login becomes one on first sight; its id is a digest, never the credential. */
export type AccountRow = {
  id: string;
  parent: string | null;
  kind: string;
  provider: string;
  name: string;
  owner: string | null;
};

export const ACCOUNT = table<AccountRow>(
  'account',
  { id: 'text', parent: 'text?', kind: 'text', provider: 'text', name: 'text', owner: 'text?' },
  ['id'],
);

/** What was learned of a model as one client uses it, and how far the estimates were off. `id` joins the two. */
export type EstimateRow = {
  id: string;
  inPerByte: number;
  out: number;
  /** The sum over all calls of |estimate - use| / use, and how many calls that were. */
  errors: number;
  count: number;
};

export const ESTIMATE = table<EstimateRow>(
  'estimate',
  { id: 'text', inPerByte: 'real', out: 'real', errors: 'real', count: 'int' },
  ['id'],
);

export const BUDGET_TABLES: readonly Table[] = [
  BALANCE,
  USAGE,
  LIMIT,
  SPAN,
  WINDOW,
  RESERVE,
  ACCOUNT,
  ESTIMATE,
];
