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

/** The number of an agent's last entry, so that appends read nothing. */
export type OrderRow = { agent: number; n: number };

export const ORDER = table<OrderRow>('journal_order', { agent: 'int', n: 'int' }, ['agent']);

export const JOURNAL_TABLES = [TILE, SALT, ORDER];
