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

export const TOOLS_TABLES: readonly Table[] = [CHANGE];
