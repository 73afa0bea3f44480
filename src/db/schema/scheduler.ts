import type { Table } from '../store.ts';
import { table } from './table.ts';

/** How much service turns of one kind of program took: `cells` is JSON, counts and sums on a grid. */
export type ServiceRow = { id: string; cells: string };

export const SERVICE = table<ServiceRow>('service', { id: 'text', cells: 'text' }, ['id']);

export const SCHEDULER_TABLES: readonly Table[] = [SERVICE];
