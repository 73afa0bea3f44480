import type { Table } from '../store.ts';
import { table } from './table.ts';

/**
 * What one call changed at one key, and how it is taken back. `file`: `before` and `after` name the file's content ('' where
 * there was no file); `inverse` and `compensation`: a call of `tool` whose arguments are the blob `before`; `none`:
 * nobody knows how. `after` is null until the call's end is known, `undoneBy` the call that took it back.
 */
export type ChangeRow = {
  call: string;
  key: string;
  agent: number;
  owner: string;
  kind: string;
  tool: string;
  before: string;
  /** The mode of the file then. */
  mode: number | null;
  after: string | null;
  undoneBy: string | null;
  at: number;
};

export const CHANGE = table<ChangeRow>(
  'change',
  {
    call: 'text',
    key: 'text',
    agent: 'int',
    owner: 'text',
    kind: 'text',
    tool: 'text',
    before: 'text',
    after: 'text?',
    undoneBy: 'text?',
    at: 'int',
    mode: 'int?',
  },
  ['call', 'key'],
  [['agent', 'call']],
);

/**
 * One use of a tool that is not free to be made again: from its START until its outcome has reached whoever asked, or
 * for a while longer where the client named it.
 */
export type UseRow = {
  call: string;
  agent: number;
  /** The client's own name for this use, which its retries carry too. */
  use: string | null;
  /** Salted commitment to server, tool and arguments. */
  args: string;
  /** As agents call the tool. */
  tool: string;
  retry: string;
  /** `running`, `done`, `in_doubt`, or `given_up` by an operator. */
  state: string;
  /** The outcome as JSON; null where there is none, or bodies are not kept. */
  answer: string | null;
  at: number;
};

export const USE = table<UseRow>(
  'tool_use',
  {
    call: 'text',
    agent: 'int',
    use: 'text?',
    args: 'text',
    tool: 'text',
    retry: 'text',
    state: 'text',
    answer: 'text?',
    at: 'int',
  },
  ['call'],
);

/** A part of a tool's result that was too large to be shown whole: its content is the blob `hash`. */
export type ResultRow = {
  call: string;
  key: string;
  agent: number;
  owner: string;
  mime: string;
  hash: string;
  at: number;
};

export const RESULT = table<ResultRow>(
  'tool_result',
  { call: 'text', key: 'text', agent: 'int', owner: 'text', mime: 'text', hash: 'text', at: 'int' },
  ['call', 'key'],
);

/** A version of a key that agents use: what content it had, and who made the latest ones. */
export type VersionRow = {
  key: string;
  n: number;
  /** SHA-256 of the content, hex; null where there is no file to look at. */
  hash: string | null;
  /** What tells cheaply that the content may be another, and since when it is this (ms). */
  stat: string | null;
  changedAt: number | null;
  /** The latest authors as JSON, the newest last. */
  authors: string;
  at: number;
};

export const VERSION = table<VersionRow>(
  'tool_version',
  {
    key: 'text',
    n: 'int',
    hash: 'text?',
    stat: 'text?',
    changedAt: 'real?',
    authors: 'text',
    at: 'int',
  },
  ['key'],
  [['at']],
);

/** The version of a key that an agent has seen, and what it held then. */
export type SeenRow = { agent: number; key: string; n: number; hash: string | null; at: number };

export const SEEN = table<SeenRow>(
  'tool_seen',
  { agent: 'int', key: 'text', n: 'int', hash: 'text?', at: 'int' },
  ['agent', 'key'],
  [['at']],
);

/** What a client's own tool call touches, from its START until its end is known: it goes on without the kernel. */
export type HoldRow = {
  call: string;
  agent: number;
  tool: string;
  /** As JSON. */
  effects: string;
  at: number;
};

export const HOLD = table<HoldRow>(
  'tool_hold',
  { call: 'text', agent: 'int', tool: 'text', effects: 'text', at: 'int' },
  ['call'],
);

/** A call whose client took a task in place of an answer. */
export type TaskRow = {
  id: string;
  agent: number;
  /** The call that does it now. */
  call: string;
  /** As agents call the tool. */
  tool: string;
  /** Its arguments as JSON; null where bodies are not kept. */
  input: string | null;
  /** The client's own name for this use of the tool. */
  use: string | null;
  /** `working`, `done` or `cancelled`. */
  state: string;
  /** As JSON; null where there is none, or bodies are not kept. */
  outcome: string | null;
  at: number;
  changedAt: number;
};

export const TASK = table<TaskRow>(
  'tool_task',
  {
    ...{ id: 'text', agent: 'int', call: 'text', tool: 'text', input: 'text?', use: 'text?' },
    ...{ state: 'text', outcome: 'text?', at: 'int', changedAt: 'int' },
  },
  ['id'],
  [['at']],
);

export const TOOLS_TABLES: readonly Table[] = [CHANGE, USE, RESULT, VERSION, SEEN, HOLD, TASK];
