import type { Table } from '../store.ts';
import { table } from './table.ts';

/** A question to a person about one exact call. `digest` is what it is bound to; `args` is only for reading. */
export type ApprovalRow = {
  id: string;
  agent: number;
  agentName: string;
  action: string;
  target: string;
  args: string;
  digest: string;
  rule: string;
  state: string;
  openedAt: number;
  expiresAt: number;
  answeredAt: number | null;
  answeredBy: string | null;
};

export const APPROVAL = table<ApprovalRow>(
  'approval',
  {
    id: 'text',
    agent: 'int',
    agentName: 'text',
    action: 'text',
    target: 'text',
    args: 'text',
    digest: 'text',
    rule: 'text',
    state: 'text',
    openedAt: 'int',
    expiresAt: 'int',
    answeredAt: 'int?',
    answeredBy: 'text?',
  },
  ['id'],
  [['state', 'id']],
);

/** A caller's credential. `hash` is the SHA-256 (hex) of the secret, which is never stored. */
export type KeyRow = {
  id: string;
  name: string;
  owner: string;
  pid: number | null;
  hash: string;
  createdAt: number;
  lastUsedAt: number | null;
  revokedAt: number | null;
};

export const KEY = table<KeyRow>(
  'access_key',
  {
    id: 'text',
    name: 'text',
    owner: 'text',
    pid: 'int?',
    hash: 'text',
    createdAt: 'int',
    lastUsedAt: 'int?',
    revokedAt: 'int?',
  },
  ['id'],
);

/** What an operator froze: `all` or a pid in digits. */
export type FreezeRow = { scope: string; at: number };

export const FREEZE = table<FreezeRow>('freeze', { scope: 'text', at: 'int' }, ['scope']);

export const ACCESS_TABLES: readonly Table[] = [APPROVAL, KEY, FREEZE];
