import type { Table } from '../store.ts';
import { table } from './table.ts';

/** Small facts about this installation (its id, when it was made), by name. */
export type MetaRow = { k: string; v: string };

export const META = table<MetaRow>('meta', { k: 'text', v: 'text' }, ['k']);

export const META_TABLES: readonly Table[] = [META];
