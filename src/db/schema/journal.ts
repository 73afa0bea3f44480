import type { Table } from '../store.ts';
import { table } from './table.ts';

/** 256 complete hashes of one level of a log's Merkle tree, 8,192 bytes; level 0 holds leaves. */
export type TileRow = { log: number; level: number; tile: number; hashes: Uint8Array };

export const TILE = table<TileRow>('tile', { log: 'int', level: 'int', tile: 'int', hashes: 'bytes' }, [
  'log',
  'level',
  'tile',
]);

/** The secret under which an owner's commitments are made. Deleting the row unlinks them for good. */
export type SaltRow = { owner: string; salt: Uint8Array; at: number };

export const SALT = table<SaltRow>('salt', { owner: 'text', salt: 'bytes', at: 'int' }, ['owner']);

/** The number of an agent's last entry when the last tile of leaves was complete, so that appends read nothing. */
export type OrderRow = { agent: number; n: number };

export const ORDER = table<OrderRow>('journal_order', { agent: 'int', n: 'int' }, ['agent']);

/** The state row of a call: a fold over its entries, kept in the same transactions. */
export type CallRow = {
  id: string;
  agent: number;
  owner: string;
  kind: string;
  target: string;
  state: string;
  code: string | null;
  turn: string | null;
  backend: string | null;
  account: string | null;
  toolUseId: string | null;
  attempt: number;
  arrivedAt: number;
  startedAt: number | null;
  endedAt: number | null;
  input: number;
  cacheRead: number;
  cacheWrite: number;
  output: number;
  reasoning: number;
  cost: number;
  reservedUsd: number;
  reservedTokens: number;
};

export const CALL = table<CallRow>(
  'call',
  {
    id: 'text',
    agent: 'int',
    owner: 'text',
    kind: 'text',
    target: 'text',
    state: 'text',
    code: 'text?',
    turn: 'text?',
    backend: 'text?',
    account: 'text?',
    toolUseId: 'text?',
    attempt: 'int',
    arrivedAt: 'int',
    startedAt: 'int?',
    endedAt: 'int?',
    input: 'int',
    cacheRead: 'int',
    cacheWrite: 'int',
    output: 'int',
    reasoning: 'int',
    cost: 'int',
    reservedUsd: 'int',
    reservedTokens: 'int',
  },
  ['id'],
  [['agent', 'arrivedAt'], ['arrivedAt'], ['state']],
);

/**
 * One message of a conversation, named by its exact chain id. `blob` is the plain hash of its bytes without cache marks;
 * `marks` (JSON) says where they were.
 */
export type MessageRow = {
  owner: string;
  id: string;
  prev: string;
  canon: string;
  blob: string;
  at: number;
  marks: string | null;
};

export const MESSAGE = table<MessageRow>(
  'message',
  { owner: 'text', id: 'text', prev: 'text', canon: 'text', blob: 'text', at: 'int', marks: 'text?' },
  ['owner', 'id'],
  [['at']],
);

/** How to put one request's body together again: its chain head and the blobs of everything around the messages. */
export type RequestRow = {
  call: string;
  owner: string;
  head: string;
  envelope: string;
  parts: string;
  /** What the access policies were asked, as JSON, so that others can be asked again. Null in rows of older kernels. */
  asked: string | null;
};

export const REQUEST = table<RequestRow>(
  'request',
  { call: 'text', owner: 'text', head: 'text', envelope: 'text', parts: 'text', asked: 'text?' },
  ['call'],
);

export const JOURNAL_TABLES: readonly Table[] = [TILE, SALT, ORDER, CALL, MESSAGE, REQUEST];
