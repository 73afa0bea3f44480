import type { Table } from '../store.ts';
import { table } from './table.ts';

/**
 * One row per agent. `hold` is stored; running, waiting and ready are derived. Counters change in END's transaction, `calls`
 * of tools in START's. After a crash `turns` may lack those of calls that ran.
 */
export type AgentRow = {
  pid: number;
  name: string;
  parent: number | null;
  owner: string;
  keyId: string | null;
  account: string | null;
  client: string;
  /** What subdivides the key: the client's own session and sub-agent ids, as `session/agent`. */
  subKey: string | null;
  hold: string;
  holdWhy: string | null;
  /** When a pause ends by itself. */
  holdUntil: number | null;
  nice: number;
  hosted: number;
  osPid: number | null;
  osStart: number | null;
  cwd: string;
  worktree: string | null;
  level: string;
  /** Are its tool calls held: 1 yes, 0 no, null as its parent's, or as the setting says. */
  held: number | null;
  /** What happens at a provider's rate limit, `wait | sleep | fail`; null as its parent's, or as the setting says. */
  onLimit: string | null;
  createdAt: number;
  lastAt: number | null;
  exitCode: number | null;
  exitSignal: string | null;
  calls: number;
  turns: number;
  input: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
  reasoning: number;
  cost: number;
  seen: number;
  decided: number;
};

export const AGENT = table<AgentRow>(
  'agent',
  {
    pid: 'int',
    name: 'text',
    parent: 'int?',
    owner: 'text',
    keyId: 'text?',
    account: 'text?',
    client: 'text',
    subKey: 'text?',
    hold: 'text',
    holdWhy: 'text?',
    holdUntil: 'int?',
    nice: 'int',
    hosted: 'int',
    osPid: 'int?',
    osStart: 'int?',
    cwd: 'text',
    worktree: 'text?',
    level: 'text',
    held: 'int?',
    onLimit: 'text?',
    createdAt: 'int',
    lastAt: 'int?',
    exitCode: 'int?',
    exitSignal: 'text?',
    calls: 'int',
    turns: 'int',
    input: 'int',
    cacheRead: 'int',
    cacheWrite: 'int',
    output: 'int',
    reasoning: 'int',
    cost: 'int',
    seen: 'int',
    decided: 'int',
  },
  ['pid'],
);

/** A tool call that a model's answer asked an agent's client to make, or that a hook announced first. */
export type IntentRow = {
  agent: number;
  toolUseId: string;
  tool: string;
  /** The model call whose answer held it, or null if only a hook showed it. */
  source: string | null;
  /** The turn of that call. */
  turn: string | null;
  /** The tool.call that decided it, or null while merely seen. */
  decidedBy: string | null;
  /** `open`, `done`, `error` or `denied`; `program` is a call of other tools that still runs. */
  state: string;
  at: number;
};

export const INTENT = table<IntentRow>(
  'intent',
  {
    agent: 'int',
    toolUseId: 'text',
    tool: 'text',
    source: 'text?',
    turn: 'text?',
    decidedBy: 'text?',
    state: 'text',
    at: 'int',
  },
  ['agent', 'toolUseId'],
  [['state']],
);

/** Objects that live at a provider (stored responses, files, batches): only their maker may name them. */
export type ObjectRow = { id: string; agent: number; backend: string; at: number };

export const OBJECT = table<ObjectRow>('object', { id: 'text', agent: 'int', backend: 'text', at: 'int' }, [
  'id',
]);

export const AGENTS_TABLES: readonly Table[] = [AGENT, INTENT, OBJECT];
