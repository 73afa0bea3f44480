/** Every table the store creates. A subsystem declares its own in a file here and adds its list below. */
import { AGENTS_TABLES } from './agents.ts';
import { JOURNAL_TABLES } from './journal.ts';
import type { Table } from '../store.ts';

export const TABLES = [...JOURNAL_TABLES, ...AGENTS_TABLES] as unknown as readonly Table[];
