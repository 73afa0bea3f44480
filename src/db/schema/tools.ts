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

export const TOOLS_TABLES: readonly Table[] = [CHANGE, USE, RESULT];
